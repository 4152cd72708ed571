#include "go_asm.h"
#include "textflag.h"

// func prefetch(slot, named *atomic.Uint64, r *ring, lines int)
TEXT ·prefetch(SB), NOSPLIT, $0-32
	MOVQ  slot+0(FP), AX
	MOVQ  named+8(FP), CX
	MOVQ  r+16(FP), DX
	MOVQ  lines+24(FP), BX
	MOVQ  (CX), CX
	SHRQ  $const_blockShift, CX
	ANDL  $const_blockMask, CX
	IMULQ ring_stride(DX), CX
	ADDQ  ring_first(DX), CX

	// PREFETCHW (AX); (CX); 64(CX); …: the assembler does not know it by name.
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	BYTE $0x0F; BYTE $0x0D; BYTE $0x09
more:
	BYTE $0x0F; BYTE $0x0D; BYTE $0x49; BYTE $0x40
	SUBQ $1, BX
	ADDQ $const_lineAlign, CX
	CMPQ BX, $1
	JGT  more
	RET

// func prefetchBlock(slot *atomic.Uint64, block uintptr)
TEXT ·prefetchBlock(SB), NOSPLIT, $0-16
	MOVQ slot+0(FP), AX
	MOVQ block+8(FP), CX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	BYTE $0x0F; BYTE $0x0D; BYTE $0x09
	BYTE $0x0F; BYTE $0x0D; BYTE $0x49; BYTE $0x40
	RET

// func prefetchLine(slot *atomic.Uint64)
TEXT ·prefetchLine(SB), NOSPLIT, $0-8
	MOVQ slot+0(FP), AX
	BYTE $0x0F; BYTE $0x0D; BYTE $0x08
	RET
