package resource

import "strconv"

// SizeText writes a number of bytes as people write a Size: with the largest
// unit in which it is whole.
func SizeText(n int64) string {
	units := [...]string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for n != 0 && n%1024 == 0 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	return strconv.FormatInt(n, 10) + units[i]
}
