package queue

const hasTicks = true

// ticks returns the processor's time-stamp counter. Nothing may depend on how long a tick
// takes, nor on the counters of two processors to agree: see freshTicks. RDTSC (Intel SDM
// vol. 2B) is what the kernel's vDSO reads its clocks by.
func ticks() uint64
