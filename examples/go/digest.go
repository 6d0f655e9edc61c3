package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

var (
	kycWords = []string{"incomplete", "pending", "approved", "rejected", "deleted"}
	amlWords = []string{"not_screened", "clear", "red_flag"}
)

// word: enums are open; a word of a later release is `unknown`, never an error.
func word(value string, known []string) string {
	if slices.Contains(known, value) {
		return value
	}
	return "unknown"
}

// report prints the one line by which consumers are compared: docs/contract.md, "How to test a consumer".
func report(states *States, ends map[int32]int64, taken int) {
	last, count := map[string]int64{}, map[string]int{}
	for partition := range ends {
		handled := readHandled(partition)
		for key, sequence := range handled.Last {
			last[key] = sequence
		}
		for name, number := range handled.Count {
			count[name] += number
		}
	}
	var lines, users []string
	unknown := 0
	for key, row := range states.rows {
		kyc, aml := word(string(row.snapshot.Kyc.Status), kycWords), word(string(row.snapshot.Aml.Status), amlWords)
		sequence, found := last[key]
		if !found {
			sequence = int64(row.snapshot.Sequence)
		}
		lines = append(lines, fmt.Sprintf("%s %d %s %s\n", key, sequence, kyc, aml))
		if kyc == "unknown" || aml == "unknown" {
			unknown++
		}
	}
	for user, submission := range states.latestApproved() {
		users = append(users, fmt.Sprintf("%s %s\n", user, submission))
	}
	slices.Sort(lines)
	slices.Sort(users)
	text := strings.Join(lines, "") + strings.Join(users, "")
	fmt.Printf("digest=%x submissions=%d users=%d ", sha256.Sum256([]byte(text)), len(lines), len(users))
	for _, name := range []string{"events", "approvals", "duplicates", "older", "gaps"} {
		fmt.Printf("%s=%d ", name, count[name])
	}
	fmt.Printf("unknown=%d taken=%d\n", unknown, taken)
}
