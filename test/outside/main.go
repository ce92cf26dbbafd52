// Command outside judges Lastro's log with programs that others wrote: Go's checksum database and Tessera.
// It is for tests only and trusts nothing it reads.
//
//	outside note          < {"vkeys": […], "note": …} …        what each note is signed by
//	outside proofs        < {"inclusion": […], "consistency": […]}   what two libraries say of each proof
//	outside fsck LOG VKEY [AUTHORIZATION]                      checks all of a log; LOG is a folder or a URL
//	outside write DIR     < {"secret": …, "entries": [base64 …]}     writes a log
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("note, proofs, fsck or write?")
	}
	switch command, rest := args[0], args[1:]; {
	case command == "note" && len(rest) == 0:
		return answer(judgeNotes)
	case command == "proofs" && len(rest) == 0:
		return answer(judgeProofs)
	case command == "fsck" && (len(rest) == 2 || len(rest) == 3):
		return fsckLog(ctx, rest[0], rest[1], rest[2:])
	case command == "write" && len(rest) == 1:
		return answer(func(log logToWrite) (writtenLog, error) { return writeLog(ctx, rest[0], log) })
	default:
		return fmt.Errorf("arguments not understood: %q", args)
	}
}

// answer reads a JSON document from standard input and writes what is made of it.
func answer[Question, Answer any](of func(Question) (Answer, error)) error {
	var question Question
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&question); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	result, err := of(question)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
