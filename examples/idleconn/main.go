// Idleconn closes a connection from which nothing was read for a while: go run ./examples/idleconn
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/seed76848005/timerwheel"
)

func main() {
	w, err := timerwheel.New(timerwheel.Options{})
	if err != nil {
		log.Fatal(err)
	}
	client, server := net.Pipe()
	go func() {
		_, err := io.WriteString(client, "hello") // and silence
		fmt.Println("written:", err)
	}()
	if err := errors.Join(serve(w, server), w.Close()); err != nil {
		log.Fatal(err)
	}
}

func serve(w *timerwheel.Wheel, conn net.Conn) error {
	idle := w.Alloc(func(timerwheel.Timer) { fmt.Println("idle:", conn.Close()) })
	refused := idle.RegisterIdle(200 * time.Millisecond)
	var err error
	for buf, n := make([]byte, 100), 0; err == nil && idle.Touch(); { // false: the timeout has won
		n, err = conn.Read(buf)
		fmt.Printf("read %q, %v\n", buf[:n], err)
	}
	_, late := idle.ShutdownSync() // waits for the handler, if it runs, and it never runs again
	return errors.Join(refused, late, idle.Free(), conn.Close())
}
