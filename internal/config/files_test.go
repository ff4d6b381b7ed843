package config

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
)

func TestFilesThatCannotBeRead(t *testing.T) {
	_, problems := Load(options("notes.txt", "x"))
	require.Equal(t, "error: no configuration here: there is no file ending in .hcl\n  hint: proximity init\n", told(problems))

	o := options()
	o.FS, o.Dir = nil, t.TempDir()+"/missing"
	_, problems = Load(o)
	require.Contains(t, told(problems), "cannot open the configuration's directory")

	_, problems = Load(options("a.hcl", "x = = 1", "b.hcl", "y {", "c.hcl.json", "{"))
	for _, place := range []string{"a.hcl:1", "b.hcl:1", "c.hcl.json:1"} {
		require.Contains(t, told(problems), place, "all files at once")
	}
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
