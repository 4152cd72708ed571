#include "textflag.h"

// func prefetch(slot, block uintptr)
TEXT ·prefetch(SB), NOSPLIT, $0-16
	MOVQ slot+0(FP), AX
	MOVQ block+8(FP), CX
	// PREFETCHW (AX); (CX); 64(CX): the assembler does not know it by name.
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	BYTE $0x0F; BYTE $0x0D; BYTE $0x09
	BYTE $0x0F; BYTE $0x0D; BYTE $0x49; BYTE $0x40
	RET
