package schema

// Permission is the declared permission check of a method, as data. It is met when User is "all" (any authenticated
// caller) or "world" (anybody), or else when the check holds for the caller.
type Permission struct {
	User  string
	Check *Check // nil when User decides alone
}

// CheckKind says how a Check is decided.
type CheckKind string

// The kinds of checks.
const (
	// Perm wants privileges on a path: all of Privs, or one of them with Any.
	Perm CheckKind = "perm"
	// And wants all of Of, Or wants one of Of.
	And CheckKind = "and"
	Or  CheckKind = "or"
	// UserIDParam is about the userid parameter: Privs[0] is "self" (it is the caller) or "Realm.AllocateUser" (that
	// privilege on /access/realm/<realm of the user>).
	UserIDParam CheckKind = "userid-param"
	// UserIDGroup wants one of Privs on /access/groups, or on a group of the user in the userid parameter. With
	// GroupsParam "create" or "update" it wants Privs on all groups in the groups parameter too.
	UserIDGroup CheckKind = "userid-group"
	// PermModify wants the right to change access to Path: Permissions.Modify there, or what Proxmox takes instead.
	PermModify CheckKind = "perm-modify"
)

// Check is one condition, or several joined.
type Check struct {
	Kind         CheckKind
	Path         string // may hold placeholders for parameters, such as /vms/{vmid}
	Privs        []string
	Any          bool   // one of Privs is enough
	RequireParam string // the condition fails unless this parameter is given
	GroupsParam  string // see UserIDGroup
	Of           []*Check

	era era
}

func anybody() *Permission       { return &Permission{User: "all"} }
func world() *Permission         { return &Permission{User: "world"} }
func when(c *Check) *Permission  { return &Permission{Check: c} }
func both(of ...*Check) *Check   { return &Check{Kind: And, Of: of} }
func either(of ...*Check) *Check { return &Check{Kind: Or, Of: of} }

// priv wants all of the privileges on a path.
func priv(path string, privs ...string) *Check { return &Check{Kind: Perm, Path: path, Privs: privs} }

// allowed is priv as the whole permission of a method, anyOf the same with one of the privileges.
func allowed(path string, privs ...string) *Permission { return when(priv(path, privs...)) }

func anyOf(path string, privs ...string) *Permission {
	return when(&Check{Kind: Perm, Path: path, Privs: privs, Any: true})
}

func userParam(what string) *Check     { return &Check{Kind: UserIDParam, Privs: []string{what}} }
func userGroup(anyOf ...string) *Check { return &Check{Kind: UserIDGroup, Privs: anyOf} }
