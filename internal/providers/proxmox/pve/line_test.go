package pve

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestLine(t *testing.T) {
	for _, c := range []struct {
		name, in, first string
		change          func(*Line)
		want            string
	}{
		{"a field is changed in its place", "local:vm-1-disk-0,mp=/a,size=8G", "volume", func(l *Line) { l.Set("mp", "/b") }, "local:vm-1-disk-0,mp=/b,size=8G"},
		{"what is not known stays", "name=eth0,host-managed=1,ip=dhcp", "name", func(l *Line) { l.Set("ip", "manual") }, "name=eth0,host-managed=1,ip=manual"},
		{"a new field comes last", "name=eth0", "name", func(l *Line) { l.Set("tag", "5") }, "name=eth0,tag=5"},
		{"a field goes", "name=eth0,tag=5,ip=dhcp", "name", func(l *Line) { l.Set("tag", "") }, "name=eth0,ip=dhcp"},
		{"the first field keeps standing without its key", "2,up=30", "order", func(l *Line) { l.Set("order", "3") }, "3,up=30"},
		{"the first field with its key keeps it", "order=2,up=30", "order", func(l *Line) { l.Set("order", "3") }, "order=3,up=30"},
		{"a first field is put first", "up=30", "order", func(l *Line) { l.Set("order", "3") }, "3,up=30"},
		{"the field without a key may stand anywhere", "up=30,2", "order", func(l *Line) { l.Set("order", "3") }, "up=30,3"},
		{"a blank is no field", " ", "", func(l *Line) { l.Set("nesting", "1") }, "nesting=1"},
		{"a field is spelt out", "2,up=30", "order", func(l *Line) { l.Spell("order"); l.Spell("down") }, "order=2,up=30"},
		{"nothing changed, nothing tidied", " ,a=1", "", func(l *Line) { l.Set("nesting", "") }, " ,a=1"},
		{"an empty line", "", "order", func(l *Line) { l.Set("up", "3") }, "up=3"},
		{"a value with an equals sign", "a=b=c", "", func(l *Line) { l.Set("d", "e") }, "a=b=c,d=e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := ParseLine(c.in, c.first)
			c.change(&line)
			require.Equal(t, c.want, line.String())
		})
	}
}

// Changing a line leaves other lines that came from it alone.
func TestLinesDoNotShare(t *testing.T) {
	one := ParseLine("a=1,b=2,c=3", "")
	two := one
	two.Set("a", "9")
	two.Set("b", "")
	require.Equal(t, "a=1,b=2,c=3", one.String())
	require.Equal(t, "a=9,c=3", two.String())
}

func TestLineKeepsEveryOtherField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-z]{1,3}=[a-z0-9:/]{0,4}|[a-z]{1,3})(,[a-z]{1,3}=[a-z0-9]{0,4}){0,5}`).Draw(t, "line")
		key := rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "key")
		value := rapid.StringMatching(`[a-z0-9]{1,4}`).Draw(t, "value")
		before := ParseLine(text, "volume")
		after := ParseLine(text, "volume")
		after.Set(key, value)
		require.Equal(t, value, ParseLine(after.String(), "volume").Value(key))
		for _, f := range before.Fields() {
			if f.Key != key {
				require.Equal(t, before.Value(f.Key), after.Value(f.Key))
			}
		}
	})
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", ",", "=", "a=,=b", "local:8,mp=/a", "name=eth0,trunks=1;2,hwaddr=BC:24:11:00:00:01"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		require.Equal(t, text, ParseLine(text, "volume").String())
	})
}
