package version

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/matryer/is"
)

func TestParse(t *testing.T) {
	const frame = "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6"
	for _, c := range []struct{ name, mod, settings, want string }{
		{"a release", "v1.2.3\th1:sum=", "", "1.2.3"},
		{"a commit of the proxy's", "v0.0.0-20260101000000-0123456789ab\th1:sum=", "", "0.0.0-20260101000000-0123456789ab"},
		{"a checkout", "(devel)\t", "build\tvcs.revision=0123456789abcdef\n", "devel-0123456789ab"},
		{"a checkout of a release", "v1.2.3\t", "build\tvcs.revision=0123456789abcdef\n", "1.2.3"},
		{"without version control", "(devel)\t", "build\tCGO_ENABLED=1\n", "devel"},
		{"a short revision", "(devel)\t", "build\tvcs.revision=0123\n", "devel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			info := frame + "path\texample.org/x\nmod\texample.org/x\t" + c.mod + "\ndep\texample.org/y\tv9.9.9\th1:=\n" + c.settings + frame
			is.New(t).Equal(parse(info), c.want)
		})
	}
	is.New(t).Equal(parse(""), "devel")
}

// TestModinfo compares with what the standard library reads.
func TestModinfo(t *testing.T) {
	is := is.New(t)
	info, ok := debug.ReadBuildInfo()
	is.True(ok)
	text := modinfo()
	if Early {
		is.True(len(text) > 32)
		text = text[16 : len(text)-16]
	}
	same, err := debug.ParseBuildInfo(text)
	is.NoErr(err)
	same.GoVersion = info.GoVersion
	is.Equal(same.String(), info.String())
	is.True(strings.HasPrefix(Text(), "ipcctl "+Version()+" go"))
}
