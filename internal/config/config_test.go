package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

const estate = `
variable "domain" {
  type    = string
  default = "home.arpa"
}

locals {
  suffix = upper(local.raw)
  raw    = var.domain
  url    = "http://${app.db.ip}/"
}

app "db" {
  host     = host.pve
  template = "debian-13-standard"
  memory   = "1.5GiB"
  tags     = ["media"]
  volume "data" {
    path = "/var/lib/postgresql"
    size = "100GiB"
  }
  network {
    ip = "192.168.1.5/24"
  }
}

app "web" {
  for_each = { blue = 8081, green = 8082 }
  template = "debian-13-standard"
  env = {
    PORT = each.value
    DB   = local.url
    HOST = "${each.key}.${local.suffix}"
  }
  backup = backup_policy.nightly
}

app "worker" {
  count    = 3
  image    = "docker.io/library/busybox:1"
  hostname = "worker-${count.index}"
  env      = { PEER = app.web["blue"].ip }
}

backup_policy "nightly" {
  schedule = "02:30"
  max_age  = "26h"
  apps     = [app.db, app.worker]
}

output "blue" { value = app.web["blue"].ip }
`

func TestLoadOfAWholeEstate(t *testing.T) {
	c := mustLoad(t, estate)
	var all []addr.Addr
	for _, r := range c.Resources {
		all = append(all, r.Addr)
	}
	require.Equal(t, `app.db app.web["blue"] app.web["green"] app.worker[0] app.worker[1] app.worker[2] `+
		`backup_policy.nightly template.pve@debian-13-standard`, addresses(all))

	db := find(t, c, "app.db")
	require.Equal(t, "pve", db.Host)
	require.True(t, db.Want.GetAttr("memory").RawEquals(cty.NumberIntVal(3<<29)))
	require.True(t, db.Want.GetAttr("tags").RawEquals(cty.SetVal([]cty.Value{cty.StringVal("media"), cty.StringVal("proximity")})))
	require.Equal(t, "vmbr0", resource.Text(db.Want.GetAttr("network").Index(cty.StringVal("eth0")), "bridge"))
	require.Equal(t, "local-lvm", resource.Text(db.Want.GetAttr("disk"), "storage"), "defaults hold where the block is left out")
	require.True(t, db.Want.GetAttr("features").IsNull(), "a block without any value is not asked for")
	require.Equal(t, "template.pve@debian-13-standard", addresses(db.Needs))
	require.Equal(t, "main.hcl:23,5", short(*db.Where(resource.Path{"network", "eth0", "ip"})))

	blue := find(t, c, `app.web["blue"]`)
	require.Equal(t, "blue.HOME.ARPA", blue.Want.GetAttr("env").Index(cty.StringVal("HOST")).AsString())
	require.False(t, blue.Want.GetAttr("env").Index(cty.StringVal("DB")).IsKnown())
	require.Equal(t, "backup_policy.nightly", resource.Text(blue.Want, "backup"))
	require.Equal(t, "app.db template.pve@debian-13-standard", addresses(blue.Needs), "through a local; a mirror waits for nothing")
	require.Equal(t, `app.web["blue"]`, addresses(find(t, c, "app.worker[1]").Needs), "a constant key is one instance")
	require.Equal(t, `app.db app.web["blue"] app.web["green"] app.worker[0] app.worker[1] app.worker[2]`,
		addresses(find(t, c, "backup_policy.nightly").Needs))
}

func TestResolveTellsWhatIsKnown(t *testing.T) {
	c := mustLoad(t, estate)
	schema := kinds()["app"].Schema
	known := map[addr.Addr]cty.Value{}
	for i, text := range []string{"app.db", `app.web["blue"]`, `app.web["green"]`, "app.worker[0]", "app.worker[1]", "app.worker[2]"} {
		a, err := addr.Parse(text)
		require.NoError(t, err)
		known[a] = schema.Value(map[string]cty.Value{"id": cty.NumberIntVal(int64(2000 + i)), "ip": cty.StringVal("10.0.0." + text[len(text)-1:])})
	}
	web, problems := c.Resolve(addr.New("app", "web").Each("green"), known)
	require.Empty(t, told(problems))
	require.Equal(t, "http://10.0.0.b/", web.Want.GetAttr("env").Index(cty.StringVal("DB")).AsString())

	policy, problems := c.Resolve(addr.New("backup_policy", "nightly"), known)
	require.Empty(t, told(problems))
	require.True(t, policy.Want.GetAttr("apps").IsWhollyKnown())
	require.Equal(t, 6, policy.Want.GetAttr("apps").LengthInt())
	require.True(t, policy.Want.GetAttr("apps").HasElement(cty.NumberIntVal(2001)).True(), "by its backup attribute")

	implied, problems := c.Resolve(addr.Addr{Kind: "template", Name: "pve", Part: "debian-13-standard"}, known)
	require.Empty(t, told(problems))
	require.Equal(t, "debian-13-standard", resource.Text(implied.Want, "template"))

	outputs, problems := c.Outputs(known)
	require.Empty(t, told(problems))
	require.Equal(t, "10.0.0.]", outputs[0].Value.AsString())
	outputs, _ = c.Outputs(nil)
	require.False(t, outputs[0].Value.IsKnown())
}

func TestRequiredVersions(t *testing.T) {
	for constraint, want := range map[string]bool{
		">= 0.1": true, "0.1.0": true, "= 0.1": true, "!= 0.1": false, "> 0.1": false, "< 0.2, >= 0.1": true,
		"~> 0.1": true, "~> 0.1.0": true, "~> 0.2": false, "~> 1.0": false, "<= 0.0.9": false,
	} {
		got, err := allows(constraint, "v0.1.0")
		require.NoError(t, err)
		require.Equal(t, want, got, constraint)
	}
	for _, constraint := range []string{"", ">=", "=> 1", "1.x", "1.2.3.4.5"} {
		_, err := allows(constraint, "0.1.0")
		require.Error(t, err, constraint)
	}
	ok, err := allows(">= 9", "(devel)")
	require.NoError(t, err)
	require.True(t, ok, "a build from sources meets everything")
}
