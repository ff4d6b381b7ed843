package config

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
)

func TestFilesThatCannotBeRead(t *testing.T) {
	_, problems := Load(options("notes.txt", "x"))
	require.Contains(t, told(problems), "no configuration here: there is no file ending in .hcl")

	o := options()
	o.FS, o.Dir = nil, t.TempDir()+"/missing"
	_, problems = Load(o)
	require.Contains(t, told(problems), "cannot open the configuration's directory")

	_, problems = Load(options("a.hcl", "x = = 1", "b.hcl", "y {", "c.hcl.json", "{"))
	for _, place := range []string{"a.hcl:1", "b.hcl:1", "c.hcl.json:1"} {
		require.Contains(t, told(problems), place, "all files at once")
	}
}

func TestOnlyTextIsRead(t *testing.T) {
	cases := []struct{ name, content, want string }{
		{"latin 1", "host \"pve\" {}\n# caf\xe9", `main.hcl:2,6: not a text file in UTF-8: the byte 0xe9 stands here`},
		{"NUL", "host \"pve\x00\" {}", `main.hcl:1,10: not a text file in UTF-8: the byte 0x00 stands here`},
		{"UTF-16", "\xff\xfeh\x00", `main.hcl:1,1: not a text file in UTF-8: it is in UTF-16`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, problems := Load(options("main.hcl", c.content))
			require.Len(t, problems, 1, told(problems))
			require.Equal(t, c.want, problems[0].String())
		})
	}
	c, problems := Load(options("main.hcl", "\ufeffhost \"pve\" {\r\n  endpoint = \"sim:\"\r\n}\r\n"))
	require.Empty(t, told(problems), "a byte order mark and line ends of Windows are fine")
	require.Contains(t, c.Hosts, "pve")
}

func TestLinksOutOfTheDirectoryAreCalledSo(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "main.hcl"), []byte(oneHost), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(outside, "main.hcl"), filepath.Join(dir, "main.hcl")))
	_, problems := Load(Options{Dir: dir})
	require.Contains(t, told(problems), `main.hcl:1,1: cannot read the file: read "main.hcl": it is a link that leads out of this directory`)
}

func TestAnOpenStringIsOneProblem(t *testing.T) {
	_, problems := Load(options("main.hcl", "app \"web\" {\n  template = \"debian\n  cores = 2\n  node = \"pve\"\n}\n"))
	require.Len(t, problems, 1, told(problems))
	require.Contains(t, told(problems), "main.hcl:2,21: invalid multi-line string")
}

func TestJSONIsTheSameLanguage(t *testing.T) {
	c, problems := Load(options("main.hcl.json", `{
  "host": {"pve": {"endpoint": "sim:"}},
  "locals": {"n": 2},
  "app": {"web": {"template": "t", "count": "${local.n}", "hostname": "web-${count.index}",
    "network": {"eth0": {"ip": "dhcp"}}, "depends_on": ["app.db"]},
    "db": {"template": "t"}}
}`))
	require.Empty(t, told(problems))
	web := find(t, c, "app.web[1]")
	require.Equal(t, "web-1", web.Want.GetAttr("hostname").AsString())
	require.Equal(t, "app.db template.pve@t", addresses(web.Needs))
}

func TestResolveIsSafeForConcurrentUse(t *testing.T) {
	c := mustLoad(t, estate)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			_, problems := c.Resolve(addr.New("backup_policy", "nightly"), nil)
			if problems.HasErrors() {
				t.Error(told(problems))
			}
		})
	}
	wg.Wait()
}
