package shm

// WithoutTmpfile makes Create behave as on a kernel or file system without
// O_TMPFILE.
func WithoutTmpfile() *Options { return &Options{noTmpfile: true} }
