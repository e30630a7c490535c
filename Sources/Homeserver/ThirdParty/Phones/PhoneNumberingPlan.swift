// The telephone numbers of a country: how one that is dialled there becomes one that can be dialled everywhere.

/// One line of the table. Its expressions are made when they are asked for: few requests name a number.
struct PhoneNumberingPlan: Sendable {
    let country: String
    let callingCode: String
    /// How many digits a number has, without what stands before it; from few to many.
    private let lengths: [Int]
    /// Those that are dialled within an area only.
    private let localLengths: [Int]
    private let internationalPrefix: String?
    private let nationalPrefix: String?
    /// What is put in place of the prefix; nil: nothing is.
    private let replacement: String?
    private let form: String

    private init?(_ line: Substring) {
        let fields = line.split(separator: " ").map { $0 == "-" ? nil : String($0) }
        guard fields.count == 8, let country = fields[0], let callingCode = fields[1], let form = fields[7] else { return nil }
        func numbers(_ field: String?) -> [Int] { field?.split(separator: ",").compactMap { Int($0) } ?? [] }
        self.country = country
        self.callingCode = callingCode
        lengths = numbers(fields[2])
        localLengths = numbers(fields[3])
        internationalPrefix = fields[4]
        nationalPrefix = fields[5]
        replacement = fields[6]
        self.form = form
    }

    private static let all = table.split(separator: "\n").compactMap(PhoneNumberingPlan.init)
    private static let byCountry = Dictionary(all.map { ($0.country, $0) }) { first, _ in first }
    private static let byCallingCode = Dictionary(all.map { ($0.callingCode, $0) }) { first, _ in first }

    /// The plan of a country, by its two letters.
    static func plan(of country: String) -> PhoneNumberingPlan? { byCountry[country] }

    /// The plan of the main country with a calling code.
    static func plan(callingCode: String) -> PhoneNumberingPlan? { byCallingCode[callingCode] }

    // MARK: Steps of reading a number

    /// The number after the prefix of calls abroad; nil where it has none.
    func withoutInternationalPrefix(_ digits: String) -> String? {
        guard let prefix = Self.expression(internationalPrefix), let match = digits.prefixMatch(of: prefix) else { return nil }
        let rest = String(digits[match.range.upperBound...])
        // No calling code begins so.
        return rest.hasPrefix("0") ? nil : rest
    }

    /// The number without the prefix of calls within the country, or with what stands in its place; as it is where that would spoil it.
    func withoutNationalPrefix(_ digits: String) -> String {
        guard let prefix = Self.expression(nationalPrefix), let match = digits.prefixMatch(of: prefix) else { return digits }
        let rest = digits[match.range.upperBound...]
        let groups = (1..<max(1, match.output.count)).map { match.output[$0].substring }
        let stripped: String
        if let replacement, let last = groups.last, last != nil {
            stripped = Self.fill(replacement, groups) + rest
        } else {
            stripped = String(rest)
        }
        return hasForm(digits) && !hasForm(stripped) ? digits : stripped
    }

    /// Whether a number could be one of the country, by its digits.
    func hasForm(_ digits: String) -> Bool { Self.expression(form).map { digits.wholeMatch(of: $0) != nil } ?? false }

    func isTooLong(_ digits: String) -> Bool { !localLengths.contains(digits.utf8.count) && digits.utf8.count > lengths.last ?? 0 }

    /// Whether a number is long enough to be dialled from everywhere in the country.
    func isLongEnough(_ digits: String) -> Bool {
        isTooLong(digits) || !localLengths.contains(digits.utf8.count) && lengths.contains(digits.utf8.count)
    }

    /// `\1` and `\2` stand for what the groups have matched.
    private static func fill(_ replacement: String, _ groups: [Substring?]) -> String {
        groups.enumerated().reduce(replacement) { $0.replacing("\\\($1.offset + 1)", with: $1.element ?? "") }
    }

    private static func expression(_ pattern: String?) -> Regex<AnyRegexOutput>? {
        guard let pattern else { return nil }
        do { return try Regex(pattern) } catch { return nil }
    }
}
