// Package process runs an example's own program once more, in a process that can be killed.
package process

import (
	"io"
	"os"
	"os/exec"
)

// Env is set in the environment of a child. The child of a test finds it there, and runs the program
// in place of the tests.
const Env = "DURABLE_CHILD"

// A Child is a process that runs this program with other arguments. It must end when its standard
// input does: so it ends with its parent, however that ends.
type Child struct {
	cmd   *exec.Cmd
	In    io.WriteCloser
	Out   io.Reader
	ended chan struct{}
	err   error // how it ended; after ended
}

// Start starts a child. env is added to the environment of this process.
func Start(env []string, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(self, args...), ended: make(chan struct{})}
	c.cmd.Env = append(append(os.Environ(), Env+"=1"), env...)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Not StdoutPipe: Wait would close that, and lose what the child has written before its end.
	out, outOfChild, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.In, c.Out, c.cmd.Stdout = in, out, outOfChild
	err = c.cmd.Start()
	outOfChild.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// Kill kills the child, by SIGKILL on Unix, and returns when it has ended.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // an error says that it has ended
	<-c.ended
}

// Stop closes the child's input, and returns how it ended.
func (c *Child) Stop() error {
	c.In.Close()
	return c.Wait()
}

// Wait returns how the child ended, when it has.
func (c *Child) Wait() error {
	<-c.ended
	return c.err
}

// HasEnded reports whether the child has ended.
func (c *Child) HasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// Process returns the child's process.
func (c *Child) Process() *os.Process { return c.cmd.Process }
