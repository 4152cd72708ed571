package command

import (
	"fmt"
	"strings"
)

// didYouMean returns a question that names the known word nearest to the
// given one, or "" when none is near.
func didYouMean(word string, known []string, format string) string {
	best, least := "", 3 // three edits are another word
	if len(word) <= 4 {
		least = 2
	}
	for _, k := range known {
		if len(word) > 1 && strings.HasPrefix(k, word) {
			best = k // it was not typed to its end
			break
		}
		if d := edits(word, k); d < least && d < len(word) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean "+format+"?", best)
}

// edits is the optimal string alignment distance: insertions, deletions,
// substitutions and swaps of neighbours that turn a into b.
func edits(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
