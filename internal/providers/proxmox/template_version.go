package proxmox

import (
	"regexp"
	"strings"
)

// templateFile is how the files of Proxmox's list are named: what it is, its
// version, its architecture.
var templateFile = regexp.MustCompile(`^([^_]+)_(\d[^_]*)_([^_.]+)\.tar(\.[a-z0-9]+)?$`)

// fileOf returns the name of a template's file without its storage.
func fileOf(spec string) string {
	if _, file, isVolume := strings.Cut(spec, ":vztmpl/"); isVolume {
		return file
	}
	return spec
}

// isSameTemplate reports whether two ways to name a template differ in the
// version at most.
func isSameTemplate(a, b string) bool {
	nameA, archA := templateName(a)
	nameB, archB := templateName(b)
	return nameA == nameB && (archA == archB || archA == "" || archB == "")
}

func templateName(spec string) (name, arch string) {
	file := fileOf(spec)
	if m := templateFile.FindStringSubmatch(file); m != nil {
		return m[1], m[3]
	}
	return file, ""
}
