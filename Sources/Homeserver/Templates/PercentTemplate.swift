// The placeholders of texts in Synapse's configuration: `%(name)s`, as Python's `%` operator has them.

package enum PercentTemplate {
    /// Puts values in; a placeholder without a value stays, and `%%` is a percent sign.
    package static func fill(_ text: String, _ values: [String: String]) -> String {
        var filled = ""
        var rest = Substring(text)
        while let percent = rest.firstIndex(of: "%") {
            filled += rest[..<percent]
            let after = rest[percent...].dropFirst()
            if after.first == "%" {
                filled += "%"
                rest = after.dropFirst()
            } else if after.first == "(", let close = after.firstIndex(of: ")"), after[close...].dropFirst().first == "s",
                let value = values[String(after[..<close].dropFirst())]
            {
                filled += value
                rest = after[close...].dropFirst(2)
            } else {
                filled += "%"
                rest = after
            }
        }
        return filled + rest
    }
}
