package command_test

import (
	"strconv"
	"strings"
)

// show returns what a terminal of that size shows after that output. It knows as
// much of a VT220 as ipcctl and shells use: moving the cursor, erasing, and text.
func show(output string, width, height int) []string {
	cells := make([][]rune, height)
	erase := func(y, from int) {
		for x := from; x < width; x++ {
			cells[y][x] = ' '
		}
	}
	for y := range cells {
		cells[y] = make([]rune, width)
		erase(y, 0)
	}
	x, y := 0, 0
	for in := []rune(output); len(in) > 0; {
		r := in[0]
		in = in[1:]
		switch {
		case r == '\x1b' && len(in) > 0 && in[0] == '[':
			end := 1
			for end < len(in) && (in[end] < '@' || in[end] > '~') {
				end++
			}
			if end == len(in) { // the rest is on its way
				in = nil
				break
			}
			args, final := string(in[1:end]), in[end]
			in = in[end+1:]
			switch {
			case final == 'H':
				row, column, _ := strings.Cut(args, ";")
				y, x = argument(row, height), argument(column, width)
			case final == 'J' && y < height:
				erase(y, x)
				for below := y + 1; below < height; below++ {
					erase(below, 0)
				}
				if args == "2" {
					for every := range cells {
						erase(every, 0)
					}
				}
			case final == 'K' && args == "2":
				erase(y, 0)
			case final == 'K':
				erase(y, x)
			case final == 'A':
				y = max(y-1-argument(args, height), 0)
			case final == 'C':
				x = min(x+1+argument(args, width), width-1)
			case final == 'D':
				x = max(x-1-argument(args, width), 0)
			}
		case r == '\x1b' && len(in) > 0 && strings.ContainsRune("()", in[0]):
			in = in[min(2, len(in)):]
		case r == '\x1b':
			in = in[min(1, len(in)):]
		case r == '\b':
			x = max(x-1, 0)
		case r == '\r':
			x = 0
		case r == '\n':
			y = min(y+1, height-1)
		case r >= ' ' && x < width:
			cells[y][x] = r
			x++
		}
	}
	lines := make([]string, height)
	for y := range cells {
		lines[y] = strings.TrimRight(string(cells[y]), " ")
	}
	return lines
}

// argument reads a coordinate: from 1, which is left out.
func argument(text string, limit int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		n = 1
	}
	return min(max(n, 1), limit) - 1
}
