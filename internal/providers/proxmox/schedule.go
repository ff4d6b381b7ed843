package proxmox

// A Proxmox calendar event is a keyword, or weekdays, a date and a time, each of
// which may be left out: mon..fri 22:30, sat *-1..7 15:00, */15. Each part is a
// list of values, ranges and steps.
const (
	eventKeyword = `minutely|hourly|daily|weekly|monthly|quarterly|semi-?annually|yearly|annually`
	eventDay     = `(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)`
	eventDays    = eventDay + `(?:\.\.` + eventDay + `)?(?:,` + eventDay + `(?:\.\.` + eventDay + `)?)*`
	eventValue   = `(?:\*|\d+(?:\.\.\d+)?)(?:/\d+)?`
	eventValues  = eventValue + `(?:,` + eventValue + `)*`
	eventDate    = `(?:` + eventValues + `-)?` + eventValues + `-` + eventValues
	eventTime    = eventValues + `(?::` + eventValues + `(?::` + eventValues + `)?)?`
)

var isSchedule = matching(
	`^(?i:`+eventKeyword+`|`+
		eventDays+`(?: +`+eventDate+`)?(?: +`+eventTime+`)?|`+
		eventDate+`(?: +`+eventTime+`)?|`+
		eventTime+`)$`,
	"is no calendar event; write it like 02:30, mon..fri 22:30 or sat *-1..7 15:00")
