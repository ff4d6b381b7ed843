package local_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// writerDir makes the test binary a process that writes state until it is killed.
const (
	writerDir   = "TEST_WRITER_DIR"
	fullDiskDir = "TEST_FULL_DISK_DIR"
)

var bg = context.Background()

var kinds = map[string]*resource.Kind{"thing": {
	Name: "thing", Version: 1,
	Schema: resource.Block{Attrs: map[string]*resource.Attr{"label": {Type: cty.String}}},
}}

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerDir); dir != "" {
		fmt.Println(write(dir))
		os.Exit(1)
	}
	if dir := os.Getenv(fullDiskDir); dir != "" {
		if err := onFullDisk(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// write opens sessions for ever, and says after each step how many it has done.
func write(dir string) error {
	store := local.New(dir)
	for n := 0; ; {
		ctx, s, err := state.Open(bg, store, state.Who{User: "writer", PID: os.Getpid()}, state.Options{Kinds: kinds})
		if err != nil {
			return err
		}
		for range 3 {
			o := resource.Object{
				Addr: addr.New("thing", fmt.Sprint("t", n%7)), Host: "pve", ID: "100", Schema: 1,
				Attrs: cty.ObjectVal(map[string]cty.Value{"label": cty.StringVal(strings.Repeat("x", 500))}),
			}
			seq, err := s.Begin(ctx, state.Intent{Addr: o.Addr, Op: state.Put, Attrs: o.Attrs})
			if err == nil {
				err = s.Done(ctx, seq, o.Addr, &o)
			}
			if err != nil {
				return err
			}
			n++
			fmt.Println("step", n)
		}
		if err := s.Close(ctx); err != nil {
			return err
		}
	}
}

// start runs a writer and returns it with what it says.
func start(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestADirectoryConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store { return local.New(t.TempDir()) })
}

func TestProcessesTakeTurnsInADirectory(t *testing.T) {
	statetest.Processes(t, "local", t.TempDir, func(dir string) (state.Store, error) { return local.New(dir), nil })
}

// TestAKilledWriterNeverTearsAnything kills a writer a hundred times, each
// time after other steps; what is read afterwards is whole and never older.
func TestAKilledWriterNeverTearsAnything(t *testing.T) {
	dir, serial := t.TempDir(), uint64(0)
	for i := range 100 {
		cmd, said := start(t, dir)
		for range 1 + i%9 {
			require.True(t, said.Scan())
			require.Contains(t, said.Text(), "step")
		}
		statetest.Kill(t, cmd)
		st, err := state.Read(t.Context(), local.New(dir), state.Options{Kinds: kinds})
		require.NoError(t, err, "after kill %d", i)
		require.GreaterOrEqual(t, st.Serial, serial)
		serial = st.Serial
	}
	_, s, err := state.Open(t.Context(), local.New(dir), state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Contains(t, s.Note(), "took over the lock of writer@")
	require.NoError(t, s.Close(t.Context()))
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	require.Empty(t, left, "what killed writers left behind is swept")
}

func TestTheLockKeepsOtherProcessesOut(t *testing.T) {
	dir := t.TempDir()
	_, lock, err := local.New(dir).Lock(t.Context(), state.Who{User: "me"})
	require.NoError(t, err)
	cmd, said := start(t, dir)
	require.True(t, said.Scan())
	require.Contains(t, said.Text(), "locked by me@")
	require.Error(t, cmd.Wait())
	require.NoError(t, lock.Unlock())

	_, lock, err = local.New(dir).Lock(t.Context(), state.Who{})
	require.NoError(t, err)
	require.Empty(t, lock.Note(), "the last one gave it back")
	require.NoError(t, lock.Unlock())
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		syscall.Umask(umask)
		dir := filepath.Join(t.TempDir(), "new")
		_, lock, err := local.New(dir).Lock(t.Context(), state.Who{})
		require.NoError(t, err)
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("{}"), Trail: []byte("line\n")}))
		require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
		seen := 0
		require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			info, err := entry.Info()
			require.NoError(t, err)
			want := os.FileMode(0o600)
			if entry.IsDir() {
				want = 0o700
			}
			require.Equal(t, want, info.Mode().Perm(), "%s under the umask %03o", path, umask)
			seen++
			return nil
		}))
		require.Equal(t, 7, seen, "two directories; state, journal, lock, trail and one version")
		require.NoError(t, lock.Unlock())
		syscall.Umask(0)
	}
}

// TestAFullDiskLosesNothing lets the system refuse files above a few bytes, in
// a process of its own: the test runner writes files too.
func TestAFullDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fullDiskDir+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	files, err := local.New(dir).Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, "old", string(files.State), "a save that failed leaves the old state")
	require.Equal(t, "first\nsecond\n", string(files.Journal), "what was written of a line is taken back")
}

// onFullDisk writes with and without room, and returns what was not as it has
// to be.
func onFullDisk(dir string) error {
	_, lock, err := local.New(dir).Lock(bg, state.Who{})
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	tooMuch := bytes.Repeat([]byte("x"), 100)
	err = errors.Join(
		lock.Save(bg, state.Snapshot{Serial: 1, State: []byte("old")}),
		lock.Append(bg, []byte("first\n")),
		syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit),
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: limit.Max}),
	)
	saved, appended := lock.Save(bg, state.Snapshot{Serial: 2, State: tooMuch}), lock.Append(bg, tooMuch)
	if !errors.Is(saved, syscall.EFBIG) || !errors.Is(appended, syscall.EFBIG) {
		return fmt.Errorf("the full disk went unnoticed: %v, %v", saved, appended)
	}
	return errors.Join(err,
		syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit),
		lock.Append(bg, []byte("second\n")),
	)
}

func TestAHolderWithoutANameIsCalledSo(t *testing.T) {
	for name, text := range map[string]string{
		"not yet written": "", "torn": `{"user":"me","pi`, "foreign": "hello", "of another form": `{"user":"me","pid":"x"}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := local.New(dir)
			_, lock, err := store.Lock(t.Context(), state.Who{User: "me"})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "proximity.state.lock"), []byte(text), 0o600))
			_, _, err = store.Lock(t.Context(), state.Who{User: "late"})
			require.EqualError(t, err, store.String()+": locked by a process that left no name")
			require.NoError(t, lock.Unlock())
		})
	}
}

// TestALockThatFailsHalfwayHasNoHolder lets the journal, which is opened with
// the lock already held, be impossible to open.
func TestALockThatFailsHalfwayHasNoHolder(t *testing.T) {
	dir := t.TempDir()
	store, journal := local.New(dir), filepath.Join(dir, "proximity.state.journal")
	require.NoError(t, os.Mkdir(journal, 0o700))
	for range 2 {
		_, _, err := store.Lock(t.Context(), state.Who{User: "unlucky"})
		require.ErrorIs(t, err, syscall.EISDIR)
	}
	require.NoError(t, os.Remove(journal))
	_, lock, err := store.Lock(t.Context(), state.Who{User: "lucky"})
	require.NoError(t, err)
	require.Empty(t, lock.Note())
	require.NoError(t, lock.Unlock())
}

func TestAKilledHolderFreesTheLockAtOnce(t *testing.T) {
	dir := t.TempDir()
	cmd, said := start(t, dir)
	require.True(t, said.Scan())
	_, _, err := local.New(dir).Lock(t.Context(), state.Who{})
	require.ErrorAs(t, err, new(*state.ErrLocked))
	began := time.Now()
	statetest.Kill(t, cmd) // and its death is waited for
	_, lock, err := local.New(dir).Lock(t.Context(), state.Who{})
	require.NoError(t, err)
	t.Logf("report: stores: local: the lock of a killed holder was free after %s", time.Since(began).Round(time.Millisecond))
	require.NoError(t, lock.Unlock())
}

func TestADeadHolderIsNamedUntilSomebodyTookOver(t *testing.T) {
	dir := t.TempDir()
	store, journal := local.New(dir), filepath.Join(dir, "proximity.state.journal")
	cmd, said := start(t, dir)
	require.True(t, said.Scan())
	statetest.Kill(t, cmd)
	require.NoError(t, os.RemoveAll(journal))
	require.NoError(t, os.Mkdir(journal, 0o700))
	_, _, err := store.Lock(t.Context(), state.Who{User: "unlucky"})
	require.ErrorIs(t, err, syscall.EISDIR)
	require.NoError(t, os.Remove(journal))
	_, lock, err := store.Lock(t.Context(), state.Who{User: "lucky"})
	require.NoError(t, err, "the lock was freed by the death of its holder")
	require.Contains(t, lock.Note(), "took over the lock of writer@")
	require.NoError(t, lock.Unlock())
	_, lock, err = store.Lock(t.Context(), state.Who{User: "next"})
	require.NoError(t, err)
	require.Empty(t, lock.Note())
	require.NoError(t, lock.Unlock())
}
