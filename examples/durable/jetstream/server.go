package main

import (
	"errors"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// startServer starts a server of NATS in this process, which keeps its streams in a directory. With port
// server.RANDOM_PORT it chooses one.
func startServer(dir string, port int) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port,
		JetStream: true, StoreDir: dir,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		return nil, err
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		s.Shutdown()
		return nil, errors.New("the server of NATS does not start")
	}
	return s, nil
}

// stopServer stops a server, and returns when it has stopped.
func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}
