// For a misspelt option, the one that was probably meant.

enum NearestName {
    /// The name with the fewest edits, where they are few enough to be a slip.
    static func nearest(to name: String, among names: some Sequence<String>) -> String? {
        let limit = max(2, name.utf8.count / 3)
        return names.map { (distance($0, name), $0) }.filter { $0.0 <= limit }.min { $0 < $1 }?.1
    }

    /// Levenshtein's distance, of bytes: inserted, removed and changed ones count one each.
    static func distance(_ a: String, _ b: String) -> Int {
        let a = Array(a.utf8), b = Array(b.utf8)
        var row = Array(0...b.count)
        for (i, byte) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let changed = diagonal + (byte == other ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(changed, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
