package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/failpoint"
)

// keeper makes ready for a command that works on the state alone. Of the
// configuration it takes where the state is kept: a state has to be reachable
// also when the rest of the files is broken, or gone. It knows no hosts.
func (a *app) keeper() (*engine, error) {
	o, err := a.configOptions()
	if err != nil {
		return nil, err
	}
	c, problems := config.LoadSettings(o)
	if err := problems.Err(); err != nil {
		return nil, &exit{exitInvalid, err}
	}
	a.config = c
	a.warn(problems)
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	vault, err := vaultOr(c.Settings.Encryption, o)
	if err != nil {
		return nil, err
	}
	e := &engine{app: a, kinds: kindsByName(), store: store, vault: vault}
	e.soft, e.hard, e.close = a.interruptible()
	return e, nil
}

// withKeeper runs a command that works on the state alone.
func (a *app) withKeeper(do func(*engine) error) error {
	e, err := a.keeper()
	if err != nil {
		return err
	}
	defer e.close()
	return do(e)
}

// putAside writes a file of that name for its owner only, and never over one
// that is there: then it gets a number. It returns where it is.
func putAside(name string, data []byte) (string, error) {
	ext := filepath.Ext(name)
	for n := 1; ; n++ {
		path := name
		if n > 1 {
			path = fmt.Sprintf("%s.%d%s", name[:len(name)-len(ext)], n, ext)
		}
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if os.IsExist(err) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%q: %w", path, plainCause(err))
		}
		return path, complete(file, data)
	}
}

// complete writes a new file and makes it durable. What could not be written whole
// is removed.
func complete(file *os.File, data []byte) error {
	err := file.Chmod(0o600) // whatever the umask
	if err == nil {
		err = failpoint.Around("cli: put a state aside", func() error {
			if _, err := file.Write(data); err != nil {
				return err
			}
			return file.Sync()
		})
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		_ = os.Remove(file.Name()) // half a file is worth nothing
		return fmt.Errorf("%q: %w", file.Name(), plainCause(err))
	}
	return nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@=+-]+$`)

// pasted returns a word as it can be pasted into a shell.
func pasted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
