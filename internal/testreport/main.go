// Command testreport reads what `go test -json` writes and prints what a person
// wants to see of it: a line for each package as `go test` prints it, the whole
// output of what failed, and at the end what the tests reported of themselves.
//
// A test reports by logging a line that begins with "report: ". The subtests
// TestPains/NN_words are shown as a table of the rows 1 to 42; a row without a
// test is a failure. The tool alone decides the exit code, so that it can stand
// at the end of a pipe: 0 when all was seen to its end and nothing failed.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

func main() {
	ok, err := run(os.Stdin, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport: "+err.Error())
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run reads events to their end and reports whether all is well. A line that is
// no event, such as one of the Go command itself, is passed on.
func run(in io.Reader, out io.Writer) (ok bool, err error) {
	w := bufio.NewWriter(out)
	r := &report{out: w, packages: map[string]*pkg{}}
	lines := bufio.NewReader(in)
	for {
		line, readErr := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(w, "%s\n", trimEnd(line))
			} else {
				r.take(e)
			}
			if err := w.Flush(); err != nil {
				return false, err
			}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return false, readErr
		}
	}
	ok = r.finish()
	return ok, w.Flush()
}

func trimEnd(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line
}
