package pvesim_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

func transportDifferences() []difference {
	return []difference{
		{"the text of an error is in the body", "8.3", "", `{"data":null}`, `{"data":null,"message":"CT 100 not running\n"}`, func(a *api) string {
			_, body := a.raw("POST", "/nodes/pve/lxc/100/status/stop", "", "")
			return body
		}},
		{"the HTTP server's own errors have a body", "8.3", "", "", "Unexpected content for method 'DELETE'", func(a *api) string {
			_, body := a.raw("DELETE", "/nodes/pve/lxc/100", "application/x-www-form-urlencoded", "purge=1")
			return body
		}},
		{"a broken body", "8.3", "", "501", "500", func(a *api) string {
			response, _ := a.raw("POST", "/nodes/pve/lxc", "application/json", "{")
			return fmt.Sprint(response.StatusCode)
		}},
		{"a body of 100 KiB", "8.4", "", "501 for data too large", unknown("x"), func(a *api) string {
			return a.form("POST", "/nodes/pve/lxc/100/status/start", url.Values{"x": {strings.Repeat("x", 100<<10)}})
		}},
		{"a wrong secret", "9.1", "", "401 invalid token value!", "401 Authentication failed!", func(a *api) string {
			id, _ := a.sim.Token()
			return told(a.rawAs(id+"=wrong", "GET", "/version", "", ""))
		}},
		{"a token that is not there", "9.1", "", "401 no such token 'x' for user 'root@pam'", "401 Authentication failed!", func(a *api) string {
			return told(a.rawAs("root@pam!x=wrong", "GET", "/version", "", ""))
		}},
		{"a token that has expired", "9.1", "", "401 token 'old' access expired", "401 Authentication failed!", func(a *api) string {
			const path = "/access/users/root@pam/token/old"
			made := a.ok("POST", path, url.Values{"expire": {fmt.Sprint(a.clock.Now().Unix() + 1)}}).(map[string]any)
			a.after(2 * time.Second)
			return told(a.rawAs("root@pam!old="+made["value"].(string), "GET", "/version", "", ""))
		}},
		{"a wrong ticket", "9.1", "", "401 permission denied - invalid PVE ticket", "401 Authentication failed!", func(a *api) string {
			r, err := http.NewRequest("GET", "https://pve/api2/json/version", nil)
			require.NoError(a.t, err)
			r.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: "PVE:root@pam:00000000::AAAA"})
			response, err := a.sim.Transport().RoundTrip(r)
			require.NoError(a.t, err)
			return told(response, "")
		}},
		{"a user that is not there", "9.1", "", "401 no such user ('no@pam')", "401 Authentication failed!", func(a *api) string {
			return told(a.rawAs("no@pam!x=wrong", "GET", "/version", "", ""))
		}},
	}
}

// takes is a difference of a parameter that a request may have since a release.
func takes(with, verb, path string, form url.Values, parameter, value, after string) difference {
	return difference{name: verb + " " + path + " takes " + parameter, with: with, before: unknown(parameter), after: after, look: func(a *api) string {
		all := url.Values{parameter: {value}}
		for key, values := range form {
			all[key] = values
		}
		return a.form(verb, path, all)
	}}
}

// dropped is a difference of a parameter that a request may not have any more.
func dropped(with, verb, path string, form url.Values, parameter, value string) difference {
	d := takes(with, verb, path, form, parameter, value, "")
	d.before, d.after = "200", d.before
	return d
}

// passing is a difference that a later release took back.
func passing(until string, d difference) difference { d.until = until; return d }

// offers is a difference of an operation that is there since a release.
func offers(with, verb, path string, form url.Values, after string) difference {
	missing := fmt.Sprintf("501 Method '%s %s' not implemented", verb, path)
	look := func(a *api) string { return a.form(verb, path, form) }
	return difference{name: verb + " " + path, with: with, before: missing, after: after, look: look}
}

func parameterDifferences() []difference {
	const config, create, jobs = "/nodes/pve/lxc/100/config", "/nodes/pve/lxc", "/cluster/backup"
	ct := smallest("200")
	job := url.Values{"id": {"j1"}, "schedule": {"03:00"}, "vmid": {"100"}, "storage": {"backup"}}
	directory := url.Values{"storage": {"more"}, "type": {"dir"}, "path": {"/mnt/more"}}
	gluster := url.Values{"storage": {"more"}, "type": {"glusterfs"}, "server": {"192.0.2.7"}}
	const noGluster = `400 {"type":"value 'glusterfs' does not have a value in the enumeration 'btrfs, cephfs, cifs, dir, esxi, ` +
		`iscsi, iscsidirect, lvm, lvmthin, nfs, pbs, rbd, zfs, zfspool'"}`
	upload := url.Values{"url": {"https://example.org/a.ova"}, "filename": {"a.ova"}}
	return []difference{
		takes("8.1", "PUT", config, nil, "dev0", "/dev/null", "403 Permission check failed (configuring device passthrough is only allowed for root@pam)"),
		takes("8.2", "POST", "/nodes/pve/lxc/101/status/stop", nil, "overrule-shutdown", "1", "200"),
		takes("8.1", "POST", jobs, job, "notification-mode", "auto", "200"),
		takes("8.2", "POST", jobs, job, "fleecing", "enabled=1", "200"),
		takes("8.3", "POST", jobs, job, "pbs-change-detection-mode", "data", "200"),
		takes("8.3", "POST", "/nodes/pve/vzdump", url.Values{"vmid": {"100"}}, "job-id", "x", `400 {"job-id":"Only root may set this option."}`),
		takes("8.1", "GET", "/pools", nil, "poolid", "none", "500 pool 'none' does not exist"),
		takes("8.1", "GET", "/pools", nil, "type", "lxc", `400 {"poolid":"missing property required by 'type'"}`),
		takes("8.1", "PUT", "/pools/none", nil, "allow-move", "1", "500 update pools failed: pool 'none' does not exist"),
		takes("9.0", "DELETE", "/cluster/ha/resources/ct:100", nil, "purge", "1", "500 cannot delete service 'ct:100', not HA managed!"),
		{"the key deny-write of devN", "8.3", "", unknown("dev0"), "200", func(a *api) string { // 7.4 has no devN at all
			return a.asRoot("PUT", config, url.Values{"dev0": {"/dev/null,deny-write=1"}})
		}},
		takes("9.1", "PUT", config, nil, "env", "A=b", "200"),
		takes("9.1", "PUT", config, nil, "entrypoint", "/init", "200"),
		takes("9.1", "POST", create, ct, "ha-managed", "1", "200"),
		takes("9.1", "POST", "/storage", directory, "saferemove-stepsize", "8", "200"),
		takes("9.1", "PUT", "/access/users/root@pam/token/proximity", nil, "delete", "comment", "200"),
		dropped("9.0", "POST", "/storage", directory, "maxfiles", "3"),
		dropped("9.0", "POST", "/storage", directory, "transport", "tcp"),
		dropped("9.0", "POST", "/storage", directory, "server2", "192.0.2.8"),
		dropped("9.0", "POST", "/storage", directory, "volume", "v"),
		{"storages of GlusterFS", "9.0", "", "200", noGluster, func(a *api) string { return a.form("POST", "/storage", gluster) }},
		passing("9.0", takes("8.1", "POST", jobs, job, "notification-target", "mail", "200")),
		passing("9.0", takes("8.1", "POST", jobs, job, "notification-policy", "always", "200")),
		{"the key host-managed of netN", "9.1", "",
			`400 {"net0":"invalid format - format error\nnet0.host-managed: ` + unknownParameter + `\n"}`, "200", func(a *api) string {
				return a.form("PUT", config, url.Values{"net0": {"name=eth0,bridge=vmbr0,host-managed=1"}})
			}},
		{"the key keepattrs of mpN", "9.1", "",
			`400 {"mp0":"invalid format - format error\nmp0.keepattrs: ` + unknownParameter + `\n"}`, "200", func(a *api) string {
				return a.form("PUT", config, url.Values{"mp0": {"local-lvm:1,mp=/data,keepattrs=1"}})
			}},
		{"content import of a download", "8.3", "",
			`400 {"content":"value 'import' does not have a value in the enumeration 'iso, vztmpl'"}`, "200", func(a *api) string {
				return a.form("POST", "/nodes/pve/storage/local/download-url", with(upload, "content", "import"))
			}},
		{"exclude-path is an array", "8.0", "", "200 string", "200 array", func(a *api) string {
			got := a.form("POST", jobs, with(job, "exclude-path", "/tmp"))
			read := a.ok("GET", jobs+"/j1", nil).(map[string]any)["exclude-path"]
			if _, isText := read.(string); isText {
				return got + " string"
			}
			return got + " array"
		}},
	}
}

func with(form url.Values, key, value string) url.Values {
	all := maps.Clone(form)
	all.Set(key, value)
	return all
}

func containerDifferences() []difference {
	kimSays := func(verb, path string, form url.Values) func(*api) string {
		return func(a *api) string {
			return told(a.rawAs(a.kim(), verb, path, "application/x-www-form-urlencoded", form.Encode()))
		}
	}
	made := func(a *api, form url.Values) map[string]string {
		a.wait(a.ok("POST", "/nodes/pve/lxc", form))
		return a.sim.World().Guests[200].Config
	}
	debian := with(smallest("200"), "ostemplate", "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst")
	debian.Set("unprivileged", "1")
	return []difference{
		{"the use of a bridge needs a right", "8.0", "", "200", "403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)",
			kimSays("PUT", "/nodes/pve/lxc/100/config", url.Values{"net1": {"name=eth1,bridge=vmbr0"}})},
		{"made MAC addresses begin alike", "8.1", "", "no", "yes", func(a *api) string {
			nic := made(a, with(smallest("200"), "net0", "name=eth0,bridge=vmbr0"))["net0"]
			return yes(strings.Contains(nic, "hwaddr=BC:24:11:"))
		}},
		{"containers are unprivileged by default", "9.0", "", "", "1", func(a *api) string { return made(a, smallest("200"))["unprivileged"] }},
		{"a privileged container needs a right", "9.0", "", "200", "403 Permission check failed (/, Sys.Modify)",
			kimSays("POST", "/nodes/pve/lxc", with(smallest("200"), "unprivileged", "0"))},
		{"a new device takes effect at once", "9.0", "", "waits", "in force", func(a *api) string {
			if older(fmt.Sprint(a.ok("GET", "/version", nil).(map[string]any)["release"]), "8.1") {
				return "waits" // there are none
			}
			root := a.asRoot("PUT", "/nodes/pve/lxc/101/config", url.Values{"dev0": {"/dev/null"}})
			if root != "200" {
				return root
			}
			if a.sim.World().Guests[101].Config["dev0"] != "" {
				return "in force"
			}
			return "waits"
		}},
		{"VMIDs in the node's list are numbers", "8.2", "", "string", "float64", func(a *api) string {
			return fmt.Sprintf("%T", a.ok("GET", "/nodes/pve/lxc", nil).([]any)[0].(map[string]any)["vmid"])
		}},
		{"a stop during a shutdown waits in the request", "8.0", "",
			"500 can't lock file '/run/lock/lxc/pve-config-101.lock' - got timeout", "200", func(a *api) string {
				a.ok("POST", "/nodes/pve/lxc/101/status/shutdown", nil)
				return a.form("POST", "/nodes/pve/lxc/101/status/stop", nil)
			}},
		{"status has pressure", "9.0", "", "no", "yes", func(a *api) string {
			return yes(slices.Contains(keys(a.ok("GET", "/nodes/pve/lxc/101/status/current", nil)), "pressurecpusome"))
		}},
		{"tasks warn of systemd without nesting", "9.1", "", "OK", "WARNINGS: 1", func(a *api) string {
			return a.wait(a.ok("POST", "/nodes/pve/lxc", debian))
		}},
		offers("8.1", "GET", "/nodes/pve/lxc/101/interfaces", nil, "200"),
		{"interfaces list addresses", "8.4", "", "no", "yes", func(a *api) string {
			if a.form("GET", "/nodes/pve/lxc/101/interfaces", nil) != "200" {
				return "no"
			}
			row := a.ok("GET", "/nodes/pve/lxc/101/interfaces", nil).([]any)[0]
			return yes(slices.Contains(keys(row), "ip-addresses") && slices.Contains(keys(row), "hardware-address"))
		}},
		offers("9.0", "GET", "/nodes/pve/lxc/101/migrate", nil, "200"),
	}
}

func hostDifferences() []difference {
	const addRole = "/access/roles"
	monitor := url.Values{"roleid": {"r"}, "privs": {"VM.Monitor"}}
	template := func(ending string) func(*api) string {
		return func(a *api) string {
			return a.form("POST", "/nodes/pve/storage/local/download-url", url.Values{
				"url": {"https://example.org/a" + ending}, "filename": {"a" + ending}, "content": {"vztmpl"},
			})
		}
	}
	var privileges []difference
	for name, with := range map[string]string{
		"Mapping.Audit": "8.0", "Mapping.Modify": "8.0", "Mapping.Use": "8.0", "SDN.Use": "8.0", "Sys.AccessNetwork": "8.1",
		"VM.GuestAgent.Audit": "9.0", "VM.GuestAgent.FileRead": "9.0", "VM.GuestAgent.FileSystemMgmt": "9.0",
		"VM.GuestAgent.FileWrite": "9.0", "VM.GuestAgent.Unrestricted": "9.0", "VM.Replicate": "9.0",
	} {
		before := fmt.Sprintf(`400 {"privs":"invalid format - invalid privilege '%s'\n"}`, name)
		privileges = append(privileges, difference{"privilege " + name, with, "", before, "200", func(a *api) string {
			return a.form("POST", addRole, url.Values{"roleid": {"r"}, "privs": {name}})
		}})
	}
	const wrongEnding = `400 {"filename":"wrong file extension"}`
	download := url.Values{"url": {"https://example.org/a.iso"}, "filename": {"a.iso"}, "content": {"iso"}}
	return append(privileges, []difference{
		{"VM.Monitor went", "9.0", "", "200", `400 {"privs":"invalid format - invalid privilege 'VM.Monitor'\n"}`,
			func(a *api) string { return a.form("POST", addRole, monitor) }},
		{"the administrator has what there is", "9.0", "", "VM.Monitor", "VM.GuestAgent.Audit", func(a *api) string {
			role := keys(a.ok("GET", "/access/roles/Administrator", nil))
			return role[slices.IndexFunc(role, func(p string) bool { return p == "VM.Monitor" || p == "VM.GuestAgent.Audit" })]
		}},
		{"a download needs no more than Sys.AccessNetwork", "8.1", "",
			"403 Permission check failed (/, Sys.Audit)", "200", func(a *api) string {
				role := url.Values{"roleid": {"Fetch"}, "privs": {"Datastore.AllocateTemplate,Sys.AccessNetwork"}}
				if a.form("POST", addRole, role) != "200" {
					a.ok("POST", addRole, url.Values{"roleid": {"Fetch"}, "privs": {"Datastore.AllocateTemplate"}})
				}
				a.ok("PUT", "/access/acl", url.Values{"path": {"/"}, "users": {"kim@pve"}, "roles": {"Fetch"}})
				a.ok("PUT", "/access/acl", url.Values{"path": {"/storage"}, "users": {"kim@pve"}, "roles": {"Fetch"}})
				return told(a.rawAs(a.kim(), "POST", "/nodes/pve/storage/local/download-url",
					"application/x-www-form-urlencoded", download.Encode()))
			}},
		offers("9.1", "POST", "/nodes/pve/storage/local/oci-registry-pull", url.Values{"reference": {"docker.io/library/nginx:1.27"}}, "200"),
		offers("9.1", "GET", "/nodes/pve/query-oci-repo-tags", url.Values{"reference": {"docker.io/library/nginx"}}, "200"),
		offers("8.1", "DELETE", "/pools", url.Values{"poolid": {"none"}}, "500 delete pool failed: pool 'none' does not exist"),
		offers("8.1", "PUT", "/pools", url.Values{"poolid": {"none"}}, "500 update pools failed: pool 'none' does not exist"),
		{"pools lie in each other", "8.1", "", `400 {"poolid":"value does not match the regex pattern"}`, "200", func(a *api) string {
			a.ok("POST", "/pools", url.Values{"poolid": {"a"}})
			return a.form("POST", "/pools", url.Values{"poolid": {"a/b"}})
		}},
		{"HA groups are rules", "9.0", "", "200 200", "500 cannot create group: ha groups have been migrated to rules " +
			"500 invalid parameter 'group': ha groups have been migrated to rules", func(a *api) string {
			made := a.form("POST", "/cluster/ha/groups", url.Values{"group": {"g1"}, "nodes": {"pve:1"}})
			return made + " " + a.form("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:100"}, "group": {"g1"}})
		}},
		offers("9.0", "GET", "/cluster/ha/rules", nil, "200"),
		takes("9.0", "POST", "/cluster/ha/resources", url.Values{"sid": {"ct:100"}}, "failback", "0", "200"),
		{"templates may be .tar.bz2", "8.3", "", wrongEnding, "200", template(".tar.bz2")},
		{"templates may be .tar", "9.1", "", wrongEnding, "200", template(".tar")},
		{"networks in the cluster's listing", "9.1", "", "sdn", "network", func(a *api) string {
			rows := a.ok("GET", "/cluster/resources", nil).([]any)
			return rows[len(rows)-1].(map[string]any)["type"].(string)
		}},
		{"formats of storages", "9.1", "", "no", "yes", func(a *api) string {
			return yes(slices.Contains(keys(a.ok("GET", "/nodes/pve/storage?format=1", nil).([]any)[0]), "formats"))
		}},
	}...)
}
