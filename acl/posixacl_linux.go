//go:build !ipcportable

package acl

import "encoding/binary"

// The value of the extended attribute system.posix_acl_access, little-endian
// on every CPU. Source: linux/posix_acl_xattr.h, linux/posix_acl.h.
//
//	0     version = 2
//	4     entries of 8 bytes, by tag and then by id:
//	        0  tag   user_obj 1, user 2, group_obj 4, group 8, mask 16, other 32
//	        2  perm  4 read, 2 write, 1 execute
//	        4  id    of the user or group, else 0xffffffff
const (
	posixACLVersion = 2
	posixACLHeader  = 4
	posixACLEntry   = 8

	tagUserObj  = 0x01
	tagUser     = 0x02
	tagGroupObj = 0x04
	tagGroup    = 0x08
	tagMask     = 0x10
	tagOther    = 0x20
)

// encodePosixACL writes the attribute. Without entries it says no more than
// the mode does, and the kernel stores it as the mode.
func encodePosixACL(a FileAccess) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, posixACLHeader+posixACLEntry*(4+len(a.Entries))), posixACLVersion)
	add := func(tag uint16, perm uint8, id uint32) {
		b = binary.LittleEndian.AppendUint16(b, tag)
		b = binary.LittleEndian.AppendUint16(b, uint16(perm&7))
		b = binary.LittleEndian.AppendUint32(b, id)
	}
	add(tagUserObj, uint8(a.Mode>>6), NoID)
	for _, e := range a.Entries { // users come first, by id
		if e.Kind == "user" {
			add(tagUser, e.Perm, e.ID)
		}
	}
	add(tagGroupObj, a.Group, NoID)
	for _, e := range a.Entries {
		if e.Kind == "group" {
			add(tagGroup, e.Perm, e.ID)
		}
	}
	if len(a.Entries) > 0 {
		add(tagMask, uint8(a.Mode>>3), NoID)
	}
	add(tagOther, uint8(a.Mode), NoID)
	return b
}
