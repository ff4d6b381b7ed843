package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Telmate/proxmox-api-go/proxmox"
	"github.com/rogpeppe/go-internal/testscript"
)

// simulate runs "proximity sim" with more flags until the script ends, on a
// free port, and sets $URL, $FINGERPRINT, $TOKEN_ID, $TOKEN_SECRET to what it
// prints.
func simulate(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command("proximity", append([]string{"sim", "--json", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	ts.Check(cmd.Start())
	ts.Defer(func() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		ts.Check(cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		ts.Fatalf("proximity sim: %v: %s", err, stderr.String())
	}
	var said struct {
		Endpoint, Fingerprint string
		TokenID               string `json:"token_id"`
		TokenSecret           string `json:"token_secret"`
	}
	ts.Check(json.Unmarshal(line, &said))
	ts.Setenv("URL", said.Endpoint)
	ts.Setenv("FINGERPRINT", said.Fingerprint)
	ts.Setenv("TOKEN_ID", said.TokenID)
	ts.Setenv("TOKEN_SECRET", said.TokenSecret)
}

// telmate does one thing with the typed calls of the library of that name, and
// prints what came of it: see foreignCalls. It takes the certificate at
// $CACERT and logs in as root@pam, or with the token when $LOGIN is token.
func telmate(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 || foreignCalls[args[0]] == nil {
		ts.Fatalf("usage: telmate CALL [argument...]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := telmateClient(ctx, ts)
	var said string
	if err == nil {
		said, err = foreignCalls[args[0]](ctx, client, args[1:])
	}
	if (err != nil) != neg {
		ts.Fatalf("telmate %s: %v", strings.Join(args, " "), err)
	}
	if err != nil {
		said = err.Error()
	}
	_, err = fmt.Fprintln(ts.Stdout(), said)
	ts.Check(err)
}

func telmateClient(ctx context.Context, ts *testscript.TestScript) (*proxmox.Client, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ts.ReadFile(ts.Getenv("CACERT")))) {
		ts.Fatalf("$CACERT: no certificate")
	}
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, IdleConnTimeout: 4 * time.Second}}
	ts.Defer(hc.CloseIdleConnections)
	client, err := proxmox.NewClient(ts.Getenv("URL")+"/api2/json", hc, "", nil, "", 60, false)
	if err != nil {
		return nil, err
	}
	if ts.Getenv("LOGIN") != "token" {
		return client, client.Login(ctx, "root@pam", ts.Getenv("PASSWORD"), "")
	}
	var id proxmox.ApiTokenID
	if err := id.Parse(ts.Getenv("TOKEN_ID")); err != nil {
		return nil, err
	}
	client.SetAPIToken(id, proxmox.ApiTokenSecret(ts.Getenv("TOKEN_SECRET")))
	return client, nil
}

// foreignCalls are what telmate can do.
var foreignCalls = map[string]func(context.Context, *proxmox.Client, []string) (string, error){
	"version": func(ctx context.Context, c *proxmox.Client, _ []string) (string, error) {
		v, err := c.Version(ctx)
		return fmt.Sprintf("%d.%d", v.Major, v.Minor), err
	},
	"nextid": func(ctx context.Context, c *proxmox.Client, _ []string) (string, error) {
		id, err := c.GetNextID(ctx, nil)
		return fmt.Sprint(id), err
	},
	"list": func(ctx context.Context, c *proxmox.Client, _ []string) (string, error) {
		guests, err := proxmox.ListGuests(ctx, c)
		var lines []string
		for _, g := range guests.Get() {
			lines = append(lines, fmt.Sprintf("%d %s %s", g.ID, g.Type, g.Node))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n"), err
	},
	"create": createForeign,
	"read":   readForeign,
	"update": updateForeign,
	"delete": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		return "", guestOf(args).Delete(ctx, c)
	},
	"start": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		return "", proxmox.GuestStart(ctx, guestOf(args), c)
	},
	"shutdown": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		return "", proxmox.GuestShutdown(ctx, guestOf(args), c, true)
	},
	"snapshot": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		return "", c.New().Snapshot.CreateLxc(ctx, *guestOf(args), proxmox.SnapshotName(args[1]), "by a foreign client")
	},
	"snapshots": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		list, err := c.New().Snapshot.List(ctx, *guestOf(args))
		if err != nil {
			return "", err
		}
		var names []string
		for s := range list.Iter() {
			names = append(names, string(s.GetName()))
		}
		slices.Sort(names)
		return strings.Join(names, "\n"), nil
	},
	"unsnapshot": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		was, err := c.New().Snapshot.Delete(ctx, *guestOf(args), proxmox.SnapshotName(args[1]))
		return fmt.Sprint("deleted: ", was), err
	},
	"pool": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		comment, members := "by a foreign client", []proxmox.GuestID{guestOf(args[1:]).VmId()}
		return "", c.New().Pool.Create(ctx, proxmox.ConfigPool{Name: proxmox.PoolName(args[0]), Comment: &comment, Guests: &members})
	},
	"pools": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		pool, err := c.New().Pool.Read(ctx, proxmox.PoolName(args[0]))
		if err != nil {
			return "", err
		}
		guests, _ := pool.GetMembers().AsMaps()
		return fmt.Sprint(pool.GetComment(), ": ", slices.Sorted(maps.Keys(guests))), nil
	},
	"unpool": func(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
		was, err := c.New().Pool.Delete(ctx, proxmox.PoolName(args[0]))
		return fmt.Sprint("deleted: ", was), err
	},
}

// guestOf is the container of a VMID, which is on pve1.
func guestOf(args []string) *proxmox.VmRef {
	id, err := strconv.Atoi(args[0])
	if err != nil {
		panic(err)
	}
	ref := proxmox.NewVmRef(proxmox.GuestID(id))
	ref.SetNode("pve1")
	ref.SetVmType(proxmox.GuestLxc)
	return ref
}

func pointer[T any](v T) *T { return &v }

func createForeign(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
	config := proxmox.ConfigLXC{
		ID: pointer(guestOf(args).VmId()), Node: pointer(proxmox.NodeName("pve1")), Name: pointer(proxmox.GuestName("foreign")),
		CreateOptions: &proxmox.LxcCreateOptions{
			OsTemplate: &proxmox.LxcTemplate{Storage: "local", File: "alpine-3.22-default_20250617_amd64.tar.xz"},
		},
		BootMount: &proxmox.LxcBootMount{Storage: pointer("local-lvm"), SizeInKibibytes: pointer(proxmox.LxcMountSize(2 << 20))},
		Memory:    pointer(proxmox.LxcMemory(256)), Swap: pointer(proxmox.LxcSwap(0)), Privileged: pointer(false),
		Networks: proxmox.LxcNetworks{proxmox.LxcNetworkID0: {
			Name: pointer(proxmox.LxcNetworkName("eth0")), Bridge: pointer("vmbr0"), IPv4: &proxmox.LxcIPv4{DHCP: true},
		}},
		Tags: &proxmox.Tags{"one", "two"},
	}
	ref, err := config.Create(ctx, c)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(ref.VmId()), nil
}

func readForeign(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
	ref := guestOf(args)
	raw, err := proxmox.NewRawConfigLXCFromAPI(ctx, ref, c)
	if err != nil {
		return "", err
	}
	config := raw.Get(*ref, proxmox.PowerStateUnknown)
	text, err := json.MarshalIndent(config, "", " ")
	return string(text), err
}

func updateForeign(ctx context.Context, c *proxmox.Client, args []string) (string, error) {
	memory, err := strconv.Atoi(args[1])
	if err != nil {
		return "", err
	}
	config := proxmox.ConfigLXC{
		Memory: pointer(proxmox.LxcMemory(memory)), Description: pointer("changed"), Tags: &proxmox.Tags{"three"},
		BootMount: &proxmox.LxcBootMount{SizeInKibibytes: pointer(proxmox.LxcMountSize(3 << 20))},
	}
	return "", config.Update(ctx, true, guestOf(args), c)
}
