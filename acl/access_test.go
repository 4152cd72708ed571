package acl

import (
	"testing"

	"github.com/matryer/is"
)

func TestFileAccess(t *testing.T) {
	const owner, group = 900, 901
	for _, tc := range []struct {
		name, policy, resource string
		want                   string
		warnings               []string
	}{
		{"nothing allowed", "", "socket:/run/s", "user::rw-,group::---,other::---", nil},
		{"anybody", "allow any connect socket:/run/*", "socket:/run/s", "user::rw-,group::-w-,other::-w-", nil},
		{"one user", "allow uid:7 connect socket:/run/s", "socket:/run/s", "user::rw-,user:7:-w-,group::---,mask::-w-,other::---", nil},
		{"one group", "allow gid:8 connect socket:/run/s", "socket:/run/s", "user::rw-,group::---,group:8:-w-,mask::-w-,other::---", nil},
		{"the file's group", "allow gid:901 connect socket:/run/s", "socket:/run/s", "user::rw-,group::-w-,other::---", nil},
		{"all but one user", "allow any connect socket:/run/s\ndeny uid:7 connect socket:/run/s", "socket:/run/s",
			"user::rw-,user:7:---,group::-w-,mask::-w-,other::-w-", nil},
		{"all but one user and the file's group", "allow any connect socket:/run/s\ndeny uid:7, gid:901 connect socket:/run/s", "socket:/run/s",
			"user::rw-,user:7:---,group::---,mask::--x,other::-w-", nil},
		{"all but one group", "allow any read shm:a\ndeny gid:8 any shm:**", "shm:a",
			"user::rw-,group::r--,group:8:---,mask::r--,other::r--",
			[]string{"group 8 is denied open, read, write, but a member gets rw- as the file's group"}},
		{"reader and writer", "allow uid:7 read shm:a\nallow uid:8 read, write shm:a", "shm:a",
			"user::rw-,user:7:r--,user:8:rw-,group::---,mask::rw-,other::---", nil},
		{"other resources and actions", "allow any put queue:b\nallow any connect socket:/run/s\nallow any admin queue:a", "queue:a",
			"user::rw-,group::---,other::---", nil},
		{"the owner needs no entry", "allow uid:900, root connect socket:/run/s", "socket:/run/s", "user::rw-,group::---,other::---", nil},
		{"producer", "allow uid:7 put queue:jobs", "queue:jobs", "user::rw-,user:7:rw-,group::---,mask::rw-,other::---",
			[]string{"uid 7 may put, whose permissions also serve to get"}},
		{"remove", "allow uid:7 remove, connect socket:/run/s", "socket:/run/s", "user::rw-,user:7:-w-,group::---,mask::-w-,other::---",
			[]string{"uid 7 may remove it, which the permissions of its directory decide"}},
		{"denied root", "deny root connect socket:/run/s", "socket:/run/s", "user::rw-,group::---,other::---",
			[]string{"uid 0 is denied connect, but the superuser passes every check of permissions"}},
		{"denied owner", "deny uid:900 connect socket:/run/s", "socket:/run/s", "user::rw-,group::---,other::---",
			[]string{"uid 900 is denied connect, but it owns the file"}},
		{"denied group with an allowed one", "allow gid:8 read pipe:/p\ndeny gid:9 read pipe:/p", "pipe:/p",
			"user::rw-,group::---,group:8:r--,group:9:---,mask::r--,other::---",
			[]string{"group 9 is denied read, but a member gets r-- as group 8"}},
		{"user with less than its group", "allow uid:7 read pipe:/p\nallow gid:8 read, write pipe:/p", "pipe:/p",
			"user::rw-,user:7:r--,group::---,group:8:rw-,mask::rw-,other::---",
			[]string{"uid 7 gets r-- by its own entry, even if it is in group 8, which is allowed rw-"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			is := is.New(t)
			a, err := parse(t, tc.policy).FileAccess(tc.resource, owner, group)
			is.NoErr(err)
			is.Equal(a.String(), tc.want)
			is.Equal(a.Warnings, tc.warnings)
		})
	}
}

func TestFileAccessRefuses(t *testing.T) {
	is := is.New(t)
	for _, resource := range []string{"rpc:/a/B", "queue:", "queue:..", "topic:a", ""} {
		_, err := parse(t, "").FileAccess(resource, 0, 0)
		is.True(err != nil)
	}
	var none *Policy
	a, err := none.FileAccess("queue:a", 1, 1)
	is.NoErr(err)
	is.Equal(a.Mode.Perm().String(), "-rw-------")
}

func TestWithoutEntries(t *testing.T) {
	is := is.New(t)
	a, err := parse(t, "allow any read shm:a\ndeny uid:7 any shm:a\nallow gid:901 write, read shm:a\nallow uid:5 read, write shm:a").FileAccess("shm:a", 900, 901)
	is.NoErr(err)
	is.Equal(a.String(), "user::rw-,user:5:rw-,user:7:---,group::rw-,mask::rw-,other::r--")
	b := a.withoutEntries("no ACLs")
	is.Equal(b.String(), "user::rw-,group::---,other::---") // uid 7 could be in any group
	is.Equal(b.Warnings[len(b.Warnings)-1], "no ACLs: user 5 gets no entry, and loses rw-")
	is.Equal(len(a.Entries), 2) // a is unharmed
}
