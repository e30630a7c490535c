// A telephone number in the form in which it is stored and compared. Appendices §PSTN Phone numbers; Identity Service API §Phone number
// associations.

import MatrixCore

/// A number with its country's calling code, as it is dialled from abroad: digits and nothing else (MSISDN).
///
/// People write numbers as they are dialled where they are. They become the same here as at identity servers, which read them by
/// libphonenumber: the steps below are its steps.
package struct PhoneNumber: Sendable, Hashable {
    package static let medium = "msisdn"

    package let digits: String

    /// Characters of what is read.
    private static let limit = 250
    /// What may stand between digits.
    private static let separators: Set<Character> = [" ", "\u{A0}", "-", "\u{2010}", "\u{2011}", "\u{2013}", ".", "/", "(", ")"]
    /// How many digits a number has without its calling code.
    private static let lengths = 2...17

    /// - Parameters:
    ///   - text: as it is dialled in `country`, or with a plus and the calling code.
    ///   - country: two letters, by ISO 3166-1.
    /// - Throws: `M_INVALID_PARAM`.
    package init(_ text: String, country: String) throws(MatrixError) {
        guard let digits = Self.read(text, PhoneNumberingPlan.plan(of: country.uppercased())) else {
            throw .invalidParam("Unable to parse phone number")
        }
        self.digits = digits
    }

    private static func read(_ text: String, _ local: PhoneNumberingPlan?) -> String? {
        guard text.unicodeScalars.count <= limit else { return nil }
        var rest = Substring(text)
        while let first = rest.first, separators.contains(first) { rest = rest.dropFirst() }
        let hasPlus = rest.first == "+"
        while rest.first == "+" { rest = rest.dropFirst() }
        let dialled = String(rest.filter { !separators.contains($0) })
        guard dialled.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        if hasPlus {
            if dialled.utf8.count > lengths.lowerBound, let (plan, number) = split(dialled) { return finish(number, plan) }
            // A plus before a number without a calling code is passed over, where one can be found otherwise.
            guard dialled.utf8.count > lengths.lowerBound, let local else { return nil }
            return finish(dialledWithCallingCode: dialled, local) ?? nil
        }
        return local.flatMap { finish(dialledWithCallingCode: dialled, $0) ?? finish(dialled, $0) }
    }

    /// Reads a number that has its calling code after the prefix of calls abroad, or that of its own country without.
    ///
    /// - Returns: nil where it has none; a number that is none where it cannot be read.
    private static func finish(dialledWithCallingCode dialled: String, _ plan: PhoneNumberingPlan) -> String?? {
        if let abroad = plan.withoutInternationalPrefix(dialled) {
            guard abroad.utf8.count > lengths.lowerBound, let (plan, number) = split(abroad) else { return .some(nil) }
            return finish(number, plan)
        }
        guard dialled.hasPrefix(plan.callingCode) else { return nil }
        let number = plan.withoutNationalPrefix(String(dialled.dropFirst(plan.callingCode.utf8.count)))
        guard !plan.hasForm(dialled) && plan.hasForm(number) || plan.isTooLong(dialled) else { return nil }
        return finish(number, PhoneNumberingPlan.plan(callingCode: plan.callingCode) ?? plan)
    }

    /// Takes the calling code off, which has one to three digits.
    private static func split(_ number: String) -> (plan: PhoneNumberingPlan, number: String)? {
        for length in 1...3 {
            guard let plan = PhoneNumberingPlan.plan(callingCode: String(number.prefix(length))) else { continue }
            return (plan, String(number.dropFirst(length)))
        }
        return nil
    }

    /// The whole number, of one without its calling code.
    private static func finish(_ number: String, _ plan: PhoneNumberingPlan) -> String? {
        guard number.utf8.count >= lengths.lowerBound else { return nil }
        let stripped = plan.withoutNationalPrefix(number)
        let national = plan.isLongEnough(stripped) ? stripped : number
        return lengths.contains(national.utf8.count) ? plan.callingCode + national : nil
    }
}
