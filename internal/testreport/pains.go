package main

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// lastPain is the number of the last row that has a test.
const lastPain = 42

// pains is the table of the subtests of TestPains.
type pains struct {
	ran  bool
	rows []pain
}

type pain struct {
	row          int
	test, result string
}

var painTest = regexp.MustCompile(`^TestPains/(\d+)_[^/]+$`)

// note takes in a test that ended with pass, fail or skip.
func (p *pains) note(test, result string) {
	p.ran = p.ran || test == "TestPains"
	m := painTest.FindStringSubmatch(test)
	if m == nil {
		return
	}
	p.ran = true
	if row, err := strconv.Atoi(m[1]); err == nil {
		p.rows = append(p.rows, pain{row, test, result})
	}
}

// print prints every row with its tests and returns how many have none. Without
// a run of TestPains it prints nothing and misses nothing.
func (p *pains) print(line func(string)) (missing int) {
	if !p.ran {
		return 0
	}
	for row := 1; row <= lastPain; row++ {
		if !slices.ContainsFunc(p.rows, func(r pain) bool { return r.row == row }) {
			p.rows = append(p.rows, pain{row, "-", "missing"})
			missing++
		}
	}
	slices.SortFunc(p.rows, func(a, b pain) int { return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.test, b.test)) })
	width := len("test")
	for _, r := range p.rows {
		width = max(width, len(r.test))
	}
	line("")
	line(fmt.Sprintf("%3s  %-*s  %s", "row", width, "test", "result"))
	for _, r := range p.rows {
		line(fmt.Sprintf("%3d  %-*s  %s", r.row, width, r.test, r.result))
	}
	return missing
}
