package httpstore

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proximity-cli/proximity/internal/state"
)

// lockInfo is what Terraform's protocol says about a lock. All fields are
// sent: GitLab refuses a lock that lacks one.
type lockInfo struct {
	ID        string
	Operation string
	Info      string
	Who       string
	Version   string
	Created   string
	Path      string
}

// longestID is how long the ID of a lock may be for GitLab.
const longestID = 255

// newLockInfo names a new holding of the lock. No two have the same ID, also of
// one holder: who lost the lock must not write under the next.
//
// GitLab keeps of all this the ID alone. So it is the ID that says who holds
// the lock; Info does so too, for servers that keep it and for names that are
// too long.
func newLockInfo(who state.Who) (lockInfo, error) {
	info, err := json.Marshal(who)
	return lockInfo{
		ID: lockID(nonce(), who), Operation: "proximity", Info: string(info), Who: who.User + "@" + who.Host,
		Version: "1", Created: who.Since.UTC().Format(time.RFC3339Nano), Path: "proximity",
	}, err
}

func nonce() string {
	bytes := make([]byte, 6)
	rand.Read(bytes) // never fails: it ends the process instead
	return hex.EncodeToString(bytes)
}

// lockID returns an ID that holds who holds the lock. Where there is no room
// for the whole command and names, their ends are left out.
func lockID(nonce string, who state.Who) string {
	for {
		fields := []string{
			who.ID, who.User, who.Host, strconv.Itoa(who.PID), who.Boot, who.Since.UTC().Format(time.RFC3339Nano), who.Command,
		}
		for i, field := range fields {
			fields[i] = strings.ReplaceAll(field, "\n", " ")
		}
		id := nonce + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Join(fields, "\n")))
		if len(id) <= longestID {
			return id
		}
		longest := slices.MaxFunc([]*string{&who.Command, &who.Host, &who.User, &who.Boot}, func(a, b *string) int {
			return cmp.Compare(len(*a), len(*b))
		})
		if *longest == "" {
			return nonce
		}
		*longest = shorter(*longest)
	}
}

// shorter leaves out the last character.
func shorter(text string) string {
	_, size := utf8.DecodeLastRuneInString(text)
	return text[:len(text)-size]
}

// readLockID returns who an ID names; false when it is none of ours.
func readLockID(id string) (who state.Who, ok bool) {
	_, encoded, _ := strings.Cut(id, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return who, false
	}
	fields := strings.Split(string(text), "\n")
	if len(fields) != 7 {
		return who, false
	}
	pid, wrongPID := strconv.Atoi(fields[3])
	since, wrongTime := time.Parse(time.RFC3339Nano, fields[5])
	return state.Who{
		ID: fields[0], User: fields[1], Host: fields[2], PID: pid, Boot: fields[4], Since: since, Command: fields[6],
	}, wrongPID == nil && wrongTime == nil
}

// holder returns who a refusal names. Of a lock that another program took, such
// as Terraform, only its ID and a name are known.
func (i lockInfo) holder() state.Who {
	var full state.Who
	if json.Unmarshal([]byte(i.Info), &full) == nil && lockID(i.nonce(), full) == i.ID {
		return full // GitLab answers with the Info of who asks: it counts only when it fits the ID
	}
	if who, ok := readLockID(i.ID); ok {
		return who
	}
	if i.ID == "" {
		return state.Who{}
	}
	user, host, _ := strings.Cut(i.Who, "@")
	since, _ := time.Parse(time.RFC3339Nano, i.Created) // zero when it says nothing of use
	return state.Who{ID: i.ID, User: user, Host: host, Command: "another program", Since: since}
}

// refusal reads who holds the lock from an answer to a request that was turned
// down; false when it does not say so.
func refusal(a answer) (lockInfo, bool) {
	var info lockInfo
	if a.status != http.StatusConflict && a.status != http.StatusLocked {
		return info, false
	}
	if json.Unmarshal(a.body, &info) != nil {
		return lockInfo{}, false
	}
	return info, info.ID != ""
}

// nonce returns what tells this holding of the lock from all others.
func (i lockInfo) nonce() string {
	prefix, _, _ := strings.Cut(i.ID, ".")
	return prefix
}
