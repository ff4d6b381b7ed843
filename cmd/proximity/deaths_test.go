//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/state"
)

// served is a directory with a configuration, and a cluster apart from it.
type served struct {
	stage
	sim *pvesim.Sim
}

const servedHost = `
host "lab" {
  endpoint     = env("URL")
  fingerprint  = env("FINGERPRINT")
  token_id     = env("TOKEN_ID")
  token_secret = env("TOKEN_SECRET")
  defaults {
    node    = "pve1"
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
}
`

// serveTo starts a cluster for a directory.
func serveTo(t *testing.T, bin, dir string, faults ...pvesim.Fault) served {
	sim, err := pvesim.Open(pvesim.Options{Speed: 100, Faults: faults})
	require.NoError(t, err)
	server, err := sim.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(server.Close(), sim.Close())) })
	id, secret := sim.Token()
	return served{stage{bin: bin, dir: dir, env: []string{
		"URL=" + server.URL, "FINGERPRINT=" + server.Fingerprint, "TOKEN_ID=" + id, "TOKEN_SECRET=" + secret,
	}}, sim}
}

// want writes a configuration of some apps. Their notes are long, so that there
// is much to record.
func (s served) want(t *testing.T, apps, memory int) {
	text := servedHost + fmt.Sprintf(`
app "web" {
  count       = %d
  host        = host.lab
  template    = "debian-13-standard"
  memory      = "%dMiB"
  running     = false
  description = join("", [for n in range(1000) : "abcdefg"])
  disk { size = "1GiB" }
}
`, apps, memory)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "main.hcl"), []byte(text), 0o600))
}

// settles requires that one apply brings all in order.
func (s served) settles(t *testing.T, apps int) {
	require.NoError(t, s.run("apply", "--yes"))
	require.NoError(t, s.run("plan", "--detailed-exitcode"))
	c := count(s.sim.World())
	require.Empty(t, c.strays)
	require.Len(t, c.ours, apps)
	for address, n := range c.ours {
		require.Equal(t, 1, n, address)
	}
	_, err := s.read(&toll{})
	require.NoError(t, err)
}

// writes is how many requests so far could have changed something.
func (s served) writes() (n int) {
	for kind, times := range s.sim.Stats().Requests {
		if !strings.HasPrefix(kind, "GET ") {
			n += times
		}
	}
	return n
}

// TestAFullDiskLosesNothing lets the disk be full from different points of an
// apply on. Nothing is lost: once there is room, one apply is enough.
func TestAFullDiskLosesNothing(t *testing.T) {
	bin := buildProgram(t, "")
	t.Run("files may not grow", func(t *testing.T) {
		s := serveTo(t, bin, t.TempDir())
		for n, blocks := range []int{1, 30, 127, 129, 260} { // of 512 bytes
			s.want(t, 6, 128+64*n)
			cmd := exec.Command("sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$0" apply --yes`, blocks), bin)
			cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
			s.fills(t, cmd, "file too large")
		}
	})
	t.Run("no space is left", func(t *testing.T) {
		dir := t.TempDir()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
			t.Skipf("no small file system can be mounted: %v", err)
		}
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
		s := serveTo(t, bin, dir)
		for n, room := range []int{0, 4, 68, 76, 120, 160} { // KiB
			s.want(t, 6, 128+64*n)
			fill(t, dir, room<<10)
			cmd, _ := s.command([]string{"apply", "--yes"})
			cmd.Stdout, cmd.Stderr = nil, nil
			s.fills(t, cmd, "no space left on device")
		}
	})
}

// fill makes a file that leaves so many bytes.
func fill(t *testing.T, dir string, room int) {
	var fs syscall.Statfs_t
	require.NoError(t, syscall.Statfs(dir, &fs))
	size := int(fs.Bavail)*int(fs.Bsize) - room
	require.Positive(t, size)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "filler"), make([]byte, size), 0o600))
}

// fills runs an apply that meets the full disk, which it has to tell. What was
// recorded until then is whole, and when there is room again all is put in order.
func (s served) fills(t *testing.T, cmd *exec.Cmd, cause string) {
	out, err := cmd.CombinedOutput()
	_, whole := s.read(&toll{})
	require.NoError(t, whole)
	_ = os.Remove(filepath.Join(s.dir, "filler"))
	if err != nil {
		require.Contains(t, string(out), cause)
	}
	s.settles(t, 6)
}

// TestAReadOnlyDirectoryIsRefusedBeforeAnyEffect has nowhere to write state.
func TestAReadOnlyDirectoryIsRefusedBeforeAnyEffect(t *testing.T) {
	s := serveTo(t, buildProgram(t, ""), t.TempDir())
	s.want(t, 1, 128)
	readOnly(t, s.dir)
	cmd, out := s.command([]string{"apply", "--yes"})
	require.Error(t, cmd.Run())
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.Regexp(t, `^error: state: lock: open proximity.state.lock: (read-only file system|permission denied)`, out.String())
	require.Zero(t, s.writes())
	require.NoError(t, s.run("plan"), "a plan writes nothing")
}

// readOnly makes a directory one that nobody can write to. Permissions do not
// hold root: the kernel has to.
func readOnly(t *testing.T, dir string) {
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(dir, 0o500))
		t.Cleanup(func() { require.NoError(t, os.Chmod(dir, 0o700)) })
		return
	}
	err := syscall.Mount(dir, dir, "", syscall.MS_BIND, "")
	if err == nil {
		t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
		err = syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, "")
	}
	if err != nil {
		t.Skipf("no directory can be made read-only for root: %v", err)
	}
}

// TestTwoRunsAtOnce starts a second apply while the first is at work.
func TestTwoRunsAtOnce(t *testing.T) {
	s := serveTo(t, buildProgram(t, ""), t.TempDir(), pvesim.Fault{Method: "POST", Path: "/nodes/*/lxc", Delay: 500 * time.Second, Count: 1})
	s.want(t, 1, 128)
	first, _ := s.command([]string{"apply", "--yes"})
	first.Stdout, first.Stderr = nil, nil
	stderr, err := first.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, first.Start())
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), "creating…") {
	}
	second, out := s.command([]string{"apply", "--yes"})
	require.Error(t, second.Run())
	require.Equal(t, 5, second.ProcessState.ExitCode(), out)
	require.Contains(t, out.String(), fmt.Sprintf(`(pid %d, "proximity apply", since `, first.Process.Pid))
	require.NoError(t, s.run("plan"), "to look is nobody's privilege")
	for lines.Scan() {
	}
	require.NoError(t, first.Wait())
	s.settles(t, 1)
}

// TestALostLockEndsTheRun takes the lock away from an apply that is at work.
// It stops by itself, and the next one finds all that it did.
func TestALostLockEndsTheRun(t *testing.T) {
	bin := buildProgram(t, "")
	for kind, place := range keptIn(t) {
		if kind == "local" {
			continue // there nobody can take it away
		}
		t.Run(kind, func(t *testing.T) {
			at, err := stageAt(bin, t.TempDir(), place)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(at.dir, "main.hcl"), []byte(oneAfterTheOther), 0o600))
			cmd, _ := at.command([]string{"apply", "--yes"})
			cmd.Stdout, cmd.Stderr = nil, nil
			stderr, err := cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			lines, isBroken, said := bufio.NewScanner(stderr), false, ""
			for lines.Scan() {
				said += lines.Text() + "\n"
				if !isBroken && strings.Contains(lines.Text(), "created in") {
					isBroken = true
					who, isHeld, err := state.Holder(t.Context(), at.store)
					require.NoError(t, err)
					require.True(t, isHeld)
					require.NoError(t, at.store.Break(t.Context(), who.ID))
				}
			}
			require.Error(t, cmd.Wait())
			require.Contains(t, said, "lock was lost")
			for line := range strings.Lines(said) {
				require.LessOrEqual(t, strings.Count(line, at.store.String()), 1, "the store is named once: %s", line)
			}
			require.NoError(t, at.run("apply", "--yes"))
			require.NoError(t, at.run("plan", "--detailed-exitcode"))
			world, err := look(at.dir, "lab")
			require.NoError(t, err)
			c := count(world)
			require.Empty(t, c.strays)
			require.Equal(t, map[string]int{"app.web[0]": 1, "app.web[1]": 1, "app.web[2]": 1, "app.web[3]": 1}, c.ours)
		})
	}
}

const oneAfterTheOther = `
host "lab" {
  endpoint = "sim:"
  defaults {
    node    = "pve1"
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
  limits { parallel = 1 }
}

app "web" {
  count    = 4
  host     = host.lab
  template = "debian-13-standard"
  disk { size = "1GiB" }
}
`
