package pvesim

import "slices"

// version is a version profile: what differs between versions of Proxmox VE.
type version struct {
	release, full string
	messages      bool // error answers have their text in the body too (since 8.3)
	unprivileged  bool // containers are unprivileged unless said otherwise (since 9.0)
}

func newest() version { return versions()[0] }

func versions() []version {
	return []version{
		{release: "9.2", full: "9.2.11", messages: true, unprivileged: true},
		{release: "9.1", full: "9.1.9", messages: true, unprivileged: true},
		{release: "8.4", full: "8.4.14", messages: true},
		{release: "7.4", full: "7.4-18"},
	}
}

// knownVersion reports whether there is a profile of that release; "" stands for the newest.
func knownVersion(release string) bool {
	return release == "" || slices.ContainsFunc(versions(), func(v version) bool { return v.release == release })
}

// version returns the profile of the estate.
func (x *tx) version() version {
	for _, v := range versions() {
		if v.release == x.meta.at("").Version {
			return v
		}
	}
	return newest()
}
