package main

import (
	"bufio"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`. Build output
// has an ImportPath instead of a Package.
type event struct {
	Action, Package, Test, Output string
}

// report collects what is told at the end. Packages are those that have not
// ended.
type report struct {
	out      *bufio.Writer
	packages map[string]*pkg
	begun    int // packages in all

	lines                   []string // what tests reported
	pains                   pains
	passed, failed, skipped int
}

// pkg is a package whose tests run. Its own output is under the empty name.
type pkg struct {
	output     map[string]*strings.Builder
	failures   []string // names of tests that failed, in the order they ended
	unreported map[string]string
}

func (r *report) take(e event) {
	switch e.Action {
	case "build-output":
		r.print(e.Output)
		return
	case "build-fail":
		return // its packages fail too
	}
	p := r.packages[e.Package]
	if p == nil {
		p = &pkg{output: map[string]*strings.Builder{}, unreported: map[string]string{}}
		r.packages[e.Package] = p
		r.begun++
	}
	switch {
	case e.Action == "output":
		r.lines = append(r.lines, p.add(e.Test, e.Output)...)
	case e.Test == "":
		r.endPackage(e, p)
	default:
		r.endTest(e, p)
	}
}

// reported finds what a test reports in a line of its log, behind the place
// that the testing package puts before it.
var reported = regexp.MustCompile(`(?:^|\s)report: (.+)$`)

// add keeps output, and returns the reports in the lines that it completes:
// one line may come in several events.
func (p *pkg) add(test, text string) []string {
	if p.output[test] == nil {
		p.output[test] = &strings.Builder{}
	}
	p.output[test].WriteString(text)
	var found []string
	rest := p.unreported[test] + text
	for {
		line, after, whole := strings.Cut(rest, "\n")
		if !whole {
			p.unreported[test] = rest
			return found
		}
		if m := reported.FindStringSubmatch(line); m != nil {
			found = append(found, m[1])
		}
		rest = after
	}
}

func (r *report) endTest(e event, p *pkg) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		p.failures = append(p.failures, e.Test)
	case "skip":
		r.skipped++
	default:
		return // run, pause, cont, bench
	}
	r.pains.note(e.Test, e.Action)
	if e.Action != "fail" {
		delete(p.output, e.Test)
	}
}

func (r *report) endPackage(e event, p *pkg) {
	switch e.Action {
	case "pass", "skip":
		for line := range strings.Lines(p.text("")) {
			if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
				r.print(line)
			}
		}
	case "fail":
		r.showFailure(p)
		if len(p.failures) == 0 {
			r.failed++ // it was not built, or died outside of a test
		}
	default:
		return // start
	}
	delete(r.packages, e.Package)
}

// showFailure prints all there is of the tests that failed, of those that never
// ended because the process died, and of the package itself.
func (r *report) showFailure(p *pkg) {
	shown := p.failures
	for _, name := range slices.Sorted(maps.Keys(p.output)) {
		if name != "" && !slices.Contains(shown, name) {
			shown = append(shown, name)
		}
	}
	for _, name := range append(shown, "") {
		for line := range strings.Lines(p.text(name)) {
			if !strings.HasPrefix(line, "=== ") && line != "PASS\n" {
				r.print(line)
			}
		}
	}
}

func (p *pkg) text(test string) string {
	if p.output[test] == nil {
		return ""
	}
	return p.output[test].String()
}

func (r *report) print(text string) { fmt.Fprintln(r.out, strings.TrimSuffix(text, "\n")) }

// finish prints what was collected and reports whether all is well. A package
// that never ended is a failure: the Go command was cut short.
func (r *report) finish() bool {
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		r.showFailure(r.packages[name])
		r.print("FAIL\t" + name + " [did not end]")
		r.failed++
	}
	if r.begun == 0 {
		r.print("no package was tested")
	}
	if len(r.lines) > 0 {
		r.print("")
	}
	slices.Sort(r.lines)
	for _, line := range slices.Compact(r.lines) {
		r.print(line)
	}
	missing := r.pains.print(r.print)
	r.print(fmt.Sprintf("\n%d passed, %d failed, %d skipped", r.passed, r.failed, r.skipped))
	return r.begun > 0 && r.failed == 0 && missing == 0
}
