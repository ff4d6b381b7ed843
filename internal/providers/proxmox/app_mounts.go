package proxmox

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// disk reads the root disk.
func (r *reading) disk() cty.Value {
	if r.values["rootfs"] == "" {
		return cty.NullVal(r.kind.Schema.Blocks["disk"].Type())
	}
	line := pve.ParseLine(r.take("rootfs"), "volume")
	known := []string{"volume"}
	size, isSayable := sizeOf(line, resource.Attribute(r.prior, "disk"))
	if isSayable {
		known = append(known, "size")
	}
	set, strange := r.fields("disk", mountKeys, "rootfs", line, known...)
	r.unmanaged = append(r.unmanaged, strange...)
	set["size"] = size
	set["storage"] = textOrNull(storageOf(line.Value("volume")))
	return r.value("disk", set)
}

// mounts reads the mount points: volumes by the names that people gave them,
// and what of the node is mounted by its path inside.
func (r *reading) mounts() (volumes, binds map[string]cty.Value) {
	volumes, binds = map[string]cty.Value{}, map[string]cty.Value{}
	labels := r.volumeLabels()
	for _, slot := range slots(r.values, "mp") {
		if line := pve.ParseLine(r.values[slot], "volume"); !isVolumeLine(line) {
			r.bind(binds, slot, line)
		} else if label, named := labels[slot]; named {
			r.volume(volumes, label, slot, line)
		} // else it is somebody else's, and others lists it
	}
	for label, slot := range r.detached() {
		r.volume(volumes, label, slot, pve.ParseLine(r.values[slot], "volume"))
	}
	return volumes, binds
}

// detached finds volumes that are to go with their data and that a change which
// was cut short has only detached so far. They are there until they are
// destroyed; the recorded id tells them from what others left unused.
func (r *reading) detached() map[string]string {
	found := map[string]string{}
	for _, label := range sortedLabels(r.prior, "volume") {
		recorded := element(r.prior, "volume", label)
		isWanted := r.want == cty.NilVal || !element(r.want, "volume", label).IsNull()
		volid := resource.Text(recorded, "volid")
		if isWanted || volid == "" || resource.Text(recorded, "on_remove") != "destroy" {
			continue
		}
		for _, slot := range slots(r.values, "unused") {
			if r.values[slot] == volid {
				found[label] = slot
			}
		}
	}
	return found
}

// isVolumeLine tells a volume of a storage from a directory or device of the
// node.
func isVolumeLine(line pve.Line) bool { return !strings.HasPrefix(line.Value("volume"), "/") }

func (r *reading) volume(all map[string]cty.Value, label, slot string, line pve.Line) {
	known := []string{"volume"}
	size, isSayable := sizeOf(line, element(r.prior, "volume", label))
	if isSayable {
		known = append(known, "size")
	}
	set, strange := r.fields("volume", mountKeys, slot, rooted(line), known...)
	set["size"] = size
	set["storage"] = textOrNull(storageOf(line.Value("volume")))
	set["volid"] = textOrNull(line.Value("volume"))
	r.put(all, "volume", label, slot, set, strange)
}

func (r *reading) bind(all map[string]cty.Value, slot string, line pve.Line) {
	label := ""
	if inside := line.Value("mp"); inside != "" {
		label = insidePath(inside)
	}
	for _, source := range []cty.Value{r.prior, r.want} {
		for _, known := range sortedLabels(source, "bind") {
			if insidePath(known) == cty.NormalizeString(label) {
				label = known
			}
		}
	}
	set, strange := r.fields("bind", mountKeys, slot, line, "mp")
	r.put(all, "bind", label, slot, set, strange)
}

// rooted writes the path of a mount point from the root, as Proxmox takes it.
func rooted(line pve.Line) pve.Line {
	if inside := line.Value("mp"); inside != "" {
		line.Set("mp", insidePath(inside))
	}
	return line
}

// sizeOf returns the size that a line tells, in whole mebibytes since nobody
// can ask for less; what is above is the storage's. A line need not tell one:
// then the size that was applied last counts.
func sizeOf(line pve.Line, prior cty.Value) (size cty.Value, isSayable bool) {
	if n := parseSize(line.Value("size")) &^ (1<<20 - 1); n > 0 {
		return cty.NumberIntVal(n), true
	}
	size = resource.Attribute(prior, "size")
	if size.IsNull() {
		size = cty.NullVal(cty.Number)
	}
	return size, false
}

// volumeLabels finds the names of volumes, by slot: the one recorded with the
// slot and either the volume's id or its path, else with the id, else one whose
// path is its path. An id alone does not tell: of two volumes that change places
// one gets the id that the other had. Where nobody has named any, as of a
// container that is to be taken over, it makes names up of the paths.
func (r *reading) volumeLabels() map[string]string {
	labels, taken := map[string]string{}, map[string]bool{}
	for _, label := range sortedLabels(r.prior, "volume") {
		recorded := element(r.prior, "volume", label)
		slot := resource.Text(recorded, "slot")
		for _, by := range []struct{ attr, key string }{{"volid", "volume"}, {"path", "mp"}} {
			if slot != "" && !taken[label] && r.isMount(slot, by.key, resource.Text(recorded, by.attr)) && labels[slot] == "" {
				labels[slot], taken[label] = label, true
			}
		}
	}
	for _, by := range []struct{ attr, key string }{{"volid", "volume"}, {"path", "mp"}} {
		for _, source := range []cty.Value{r.prior, r.want} {
			for _, label := range countedLabels(source, "volume") {
				slot := r.volumeWhere(by.key, resource.Text(element(source, "volume", label), by.attr), labels)
				if slot != "" && !taken[label] {
					labels[slot], taken[label] = label, true
				}
			}
		}
	}
	if r.want == cty.NilVal && r.prior == cty.NilVal {
		for _, slot := range slots(r.values, "mp") {
			labels[slot] = madeUpLabel(pve.ParseLine(r.values[slot], "volume").Value("mp"), taken)
		}
	}
	return labels
}

// volumeWhere returns the mount point that has no label yet and whose volume or
// path is the given one; "" when there is none. Of several on one path the first
// counts, but one that tells no size is hardly what people mean.
func (r *reading) volumeWhere(key, is string, labels map[string]string) (found string) {
	for _, slot := range slots(r.values, "mp") {
		if labels[slot] != "" || !r.isMount(slot, key, is) {
			continue
		}
		if _, isSayable := sizeOf(rooted(pve.ParseLine(r.values[slot], "volume")), cty.NilVal); isSayable {
			return slot
		}
		found = cmp.Or(found, slot)
	}
	return found
}

// isMount reports whether the volume or the path of a mount point is the given
// one, which is none when it is empty.
func (r *reading) isMount(slot, key, is string) bool {
	line := rooted(pve.ParseLine(r.values[slot], "volume"))
	if key == "mp" && is != "" {
		is = insidePath(is)
	}
	return isVolumeLine(line) && is != "" && cty.NormalizeString(line.Value(key)) == is
}

// countedLabels returns the labels of a labelled block in the order in which
// madeUpLabel counts, so that of several volumes on one path each gets its own
// name back.
func countedLabels(object cty.Value, block string) []string {
	labels := sortedLabels(object, block)
	slices.SortFunc(labels, func(a, b string) int {
		if naturalLess(a, b) {
			return -1
		}
		return 1
	})
	return labels
}

// madeUpLabel names a volume after the directory it is mounted on; of several
// alike the later ones get numbers.
func madeUpLabel(inside string, taken map[string]bool) string {
	name := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, path.Base(insidePath(cty.NormalizeString(inside))))
	if name = strings.Trim(name, "-"); name == "" {
		name = "volume"
	}
	label := name
	for n := 2; taken[label]; n++ {
		label = fmt.Sprintf("%s-%d", name, n)
	}
	taken[label] = true
	return label
}

// storageOf returns the storage of a volume id.
func storageOf(volid string) string {
	storage, _, _ := strings.Cut(volid, ":")
	return storage
}
