package addr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseReadsWhatStringWrites(t *testing.T) {
	for text, want := range map[string]Addr{
		`app.web`:                   {Kind: "app", Name: "web"},
		`app.web["blue"]`:           {Kind: "app", Name: "web", Key: `"blue"`},
		`app.web["a.b]c\"d"]`:       {Kind: "app", Name: "web", Key: `"a.b]c\"d"`},
		`app.web[12]`:               {Kind: "app", Name: "web", Key: "12"},
		`backup_policy.nightly`:     {Kind: "backup_policy", Name: "nightly"},
		`template.pve@pve1/local:x`: {Kind: "template", Name: "pve", Part: "pve1/local:x"},
	} {
		got, err := Parse(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		``:                "no kind before a dot",
		`web`:             "no kind before a dot",
		`app.`:            "is no name",
		`app.1x`:          "is no name",
		`app.web[`:        "neither a quoted string nor an index",
		`app.web[-1]`:     "neither a quoted string nor an index",
		`app.web[01]`:     "neither a quoted string nor an index",
		`app.web["a]`:     "not closed",
		`app.web["a"`:     "closing bracket",
		`app.web["\x61"]`: "not written plainly",
		`app.web["a"]x`:   "unexpected",
		`app.web@`:        "unexpected",
		`app.web.ip`:      "is no name",
	} {
		_, err := Parse(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestSortCountsIndexesAsNumbers(t *testing.T) {
	web := New("app", "web")
	list := []Addr{web.At(10), New("backup_policy", "a"), web.Each("b"), web.At(9), web, New("app", "db")}
	Sort(list)
	require.Equal(t, []Addr{New("app", "db"), web, web.Each("b"), web.At(9), web.At(10), New("backup_policy", "a")}, list)
}

func FuzzParse(f *testing.F) {
	f.Add(`app.web["a.b]c\"d"]@x`)
	f.Add(`app.web[3]`)
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		require.Equal(t, text, a.String())
	})
}
