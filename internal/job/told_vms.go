package job

// Failed machines are told under their names, as watchers before this one told and read them: VMs holds a reason for
// each, VMGUIDs the GUID of those that were told with one. Of two machines with one name the second has its GUID in the
// key, too.

// VMReason gives the reason told of a machine; false where none was. One that is in VMs under its name and has no GUID
// there was told by its name alone, which a machine with a GUID is not.
func (t *Told) VMReason(vm *VM) (reason Text, told bool) {
	key, told := t.vmKey(vm.Name, vm.GUID)
	if !told {
		return "", false
	}
	return t.VMs[key], true
}

// vmKey finds the machine in VMs.
func (t *Told) vmKey(name string, guid Text) (key string, told bool) {
	switch {
	case guid == "":
		_, told = t.VMs[name]
		return name, told && t.VMGUIDs[name] == ""
	case t.VMGUIDs[name] == guid:
		return name, true
	}
	for key, other := range t.VMGUIDs { // told under another name, or as the second of its name
		if other == guid {
			return key, true
		}
	}
	return "", false
}

// tellVM changes the maps.
func (t *Told) tellVM(c *Change) {
	if t.VMs == nil {
		t.VMs = map[string]Text{}
	}
	key, told := t.vmKey(c.VM, Text(c.VMGUID))
	if !told {
		key = t.newVMKey(c)
	}
	t.VMs[key] = c.To
	if c.VMGUID == "" {
		return
	}
	if t.VMGUIDs == nil {
		t.VMGUIDs = map[string]Text{}
	}
	t.VMGUIDs[key] = Text(c.VMGUID)
}

// newVMKey is the machine's name, unless that is another's.
func (t *Told) newVMKey(c *Change) string {
	reason, taken := t.VMs[c.VM]
	owner := t.VMGUIDs[c.VM]
	switch {
	case !taken:
		return c.VM
	case c.VMGUID != "" && owner == "" && c.From == reason: // told by its name alone before
		return c.VM
	case c.VMGUID != "":
		return t.secondVMKey(c.VM, Text(c.VMGUID))
	case c.From == reason && !t.isShared(c.VM): // told by its name alone now, by an older watcher
		return c.VM
	}
	second := t.secondVMKey(c.VM, owner)
	t.VMs[second], t.VMGUIDs[second] = reason, owner
	delete(t.VMGUIDs, c.VM)
	return c.VM
}

// secondVMKey is one that no machine has.
func (t *Told) secondVMKey(name string, guid Text) string {
	key := vmKeyWith(name, guid)
	for _, taken := t.VMs[key]; taken; _, taken = t.VMs[key] {
		key += "+"
	}
	return key
}

func vmKeyWith(name string, guid Text) string { return name + " (" + string(guid) + ")" }

// isShared says whether several machines were told of that have the name.
func (t *Told) isShared(name string) bool {
	for key, guid := range t.VMGUIDs {
		if key == vmKeyWith(name, guid) {
			return true
		}
	}
	return false
}
