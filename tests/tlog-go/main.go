// An independent judge of a published log, over the Go project's own transparency-log library.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go <log directory> <vkey>
//
// It opens the checkpoint with the verifier key, recomputes the root from every entry bundle, checks every hash tile
// against it and proves that each record is in the tree. It prints "ok <origin> <size>", or the reason and exit code 1.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The height of C2SP tiles: 256 hashes each.
const height = 8

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: main <log directory> <vkey>")
		os.Exit(2)
	}
	origin, size, err := judge(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok", origin, size)
}

func judge(dir, vkey string) (string, int64, error) {
	origin, tree, err := openCheckpoint(filepath.Join(dir, "checkpoint"), vkey)
	if err != nil {
		return "", 0, err
	}
	entries, err := readEntries(dir, tree.N)
	if err != nil {
		return "", 0, err
	}
	hashes, root, err := build(entries)
	if err != nil {
		return "", 0, err
	}
	if root != tree.Hash {
		return "", 0, fmt.Errorf("the entries lead to root %v, the checkpoint says %v", root, tree.Hash)
	}
	if err := checkTiles(dir, tree.N, hashes); err != nil {
		return "", 0, err
	}
	if err := proveAll(dir, tree, entries); err != nil {
		return "", 0, err
	}
	return origin, tree.N, nil
}

// openCheckpoint reads origin, size and root from a note that the key signed.
func openCheckpoint(path, vkey string) (string, tlog.Tree, error) {
	var tree tlog.Tree
	data, err := os.ReadFile(path)
	if err != nil {
		return "", tree, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(vkey))
	if err != nil {
		return "", tree, fmt.Errorf("vkey: %w", err)
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return "", tree, fmt.Errorf("%s: %w", path, err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 {
		return "", tree, fmt.Errorf("%s: a checkpoint has three lines", path)
	}
	if lines[0] != verifier.Name() {
		return "", tree, fmt.Errorf("%s: of log %q, signed as %q", path, lines[0], verifier.Name())
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || tree.N < 0 {
		return "", tree, fmt.Errorf("%s: bad size %q", path, lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return "", tree, fmt.Errorf("%s: bad root %q", path, lines[2])
	}
	copy(tree.Hash[:], root)
	return lines[0], tree, nil
}

// readEntries reads all bundles that a tree of n entries has.
func readEntries(dir string, n int64) ([][]byte, error) {
	var entries [][]byte
	for int64(len(entries)) < n {
		want := 1 << height
		if left := n - int64(len(entries)); left < 1<<height {
			want = int(left)
		}
		tile := tlog.Tile{H: height, L: -1, N: int64(len(entries)) >> height, W: want}
		path, data, err := readTile(dir, tile)
		if err != nil {
			return nil, err
		}
		for ; want > 0; want-- {
			if len(data) < 2 {
				return nil, fmt.Errorf("%s: cut short", path)
			}
			length := int(binary.BigEndian.Uint16(data))
			if length != sha256.Size || len(data) < 2+length {
				return nil, fmt.Errorf("%s: an entry of %d bytes", path, length)
			}
			entries = append(entries, data[2:2+length])
			data = data[2+length:]
		}
		if len(data) != 0 && tilePathFull(path) {
			return nil, fmt.Errorf("%s: %d bytes too many", path, len(data))
		}
	}
	return entries, nil
}

// build computes the stored hashes of the whole tree, as tlog orders them, and its root.
func build(entries [][]byte) (tlog.HashReaderFunc, tlog.Hash, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			if index >= int64(len(stored)) {
				return nil, fmt.Errorf("hash %d is not stored", index)
			}
			found[i] = stored[index]
		}
		return found, nil
	})
	for i, entry := range entries {
		hashes, err := tlog.StoredHashes(int64(i), entry, reader)
		if err != nil {
			return nil, tlog.Hash{}, err
		}
		stored = append(stored, hashes...)
	}
	if len(entries) == 0 {
		return reader, sha256.Sum256(nil), nil
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	return reader, root, err
}

// checkTiles compares every hash tile on disk with the one that the entries make.
func checkTiles(dir string, n int64, hashes tlog.HashReader) error {
	for level := 0; n>>(height*level) > 0; level++ {
		items := n >> (height * level)
		for first := int64(0); first < items; first += 1 << height {
			width := min(int(items-first), 1<<height)
			tile := tlog.Tile{H: height, L: level, N: first >> height, W: width}
			if err := checkTile(dir, tile, hashes); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkTile(dir string, tile tlog.Tile, hashes tlog.HashReader) error {
	path, data, err := readTile(dir, tile)
	if err != nil {
		return err
	}
	want, err := tlog.ReadTileData(tile, hashes)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(data, want) {
		return fmt.Errorf("%s: not the hashes of the entries", path)
	}
	return nil
}

// proveAll proves each record against the checkpoint, from the tiles alone.
func proveAll(dir string, tree tlog.Tree, entries [][]byte) error {
	reader := tlog.TileHashReader(tree, tiles{dir, map[tlog.Tile][]byte{}})
	for i, entry := range entries {
		proof, err := tlog.ProveRecord(tree.N, int64(i), reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, int64(i), tlog.RecordHash(entry))
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", i, err)
		}
	}
	return nil
}

// tiles is the directory as tlog reads it. Only tiles that tlog has proven are kept.
type tiles struct {
	dir    string
	proven map[tlog.Tile][]byte
}

func (t tiles) Height() int { return height }

func (t tiles) SaveTiles(saved []tlog.Tile, data [][]byte) {
	for i, tile := range saved {
		t.proven[tile] = data[i]
	}
}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		if data, ok := t.proven[tile]; ok {
			found[i] = data
			continue
		}
		path, data, err := readTile(t.dir, tile)
		if err != nil {
			return nil, err
		}
		if len(data) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s: cut short", path)
		}
		found[i] = data[:tile.W*tlog.HashSize]
	}
	return found, nil
}

// readTile reads a tile, or the full one if that has taken the partial one's place.
func readTile(dir string, tile tlog.Tile) (string, []byte, error) {
	path := filepath.Join(dir, tilePath(tile))
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && tile.W < 1<<height {
		tile.W = 1 << height
		path = filepath.Join(dir, tilePath(tile))
		data, err = os.ReadFile(path)
	}
	return path, data, err
}

func tilePathFull(path string) bool { return !strings.Contains(path, ".p/") }

// tilePath is the C2SP path: Go's, without the height and with "entries" for "data".
func tilePath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	if rest := strings.TrimPrefix(path, "data/"); rest != path {
		path = "entries/" + rest
	}
	return "tile/" + path
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
