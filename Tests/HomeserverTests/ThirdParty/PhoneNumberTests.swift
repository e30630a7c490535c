// Telephone numbers as people write them. What is expected is what libphonenumber says.

import Homeserver
import MatrixCore
import Testing

@Suite("Telephone numbers")
struct PhoneNumberTests {
    @Test(
        "a number is the same however it is dialled",
        arguments: [
            ("GB", "07700 900001", "447700900001"), ("gb", "07700900001", "447700900001"), ("GB", "7700900001", "447700900001"),
            ("GB", "+44 (0)7700 900001", "447700900001"), ("GB", "447700900001", "447700900001"),
            ("GB", "0044 7700 900001", "447700900001"), ("US", "011 44 7700 900001", "447700900001"),
            ("RU", "810 44 7700 900001", "447700900001"), ("AU", "0011 44 7700 900001", "447700900001"),
            ("XX", "+44 7700 900001", "447700900001"), ("", "++44-7700.900001", "447700900001"),
            ("US", "(201) 555-0123", "12015550123"), ("US", "1-201-555-0123", "12015550123"), ("AG", "460 1234", "12684601234"),
            ("DE", "0151 23456789", "4915123456789"), ("DE", "030/123456", "4930123456"), ("FR", "06 12 34 56 78", "33612345678"),
            // The zero belongs to the number.
            ("IT", "02 1234 5678", "390212345678"), ("CI", "01 23 45 67 89", "2250123456789"), ("SM", "882233", "3780549882233"),
            // What stands before it is replaced, or tells by whom the call is carried.
            ("AR", "011 15 2345 6789", "5491123456789"), ("BR", "0 15 11 96123-4567", "5511961234567"),
            ("HU", "06 20 123 4567", "36201234567"), ("LT", "8 612 34567", "37061234567"), ("RU", "8 912 345 67 89", "79123456789"),
            // A part of a country with a calling code of its own neighbour's.
            ("JE", "01534 456789", "441534456789"), ("JE", "44 1534 456789", "441534456789"), ("GB", "+800 1234 5678", "80012345678"),
        ])
    func canonical(country: String, text: String, digits: String) throws {
        #expect(try PhoneNumber(text, country: country).digits == digits)
    }

    @Test(
        "what is no number, or of no country, is refused",
        arguments: [
            ("XX", "07700900001"), ("", "07700900001"), ("GB", "+07700 900001"), ("GB", ""), ("GB", "+"), ("GB", "0"), ("GB", "+0"),
            ("GB", "+999 123456"), ("US", "011 12"), ("GB", String(repeating: "1", count: 20)), ("GB", "0800 MATRIX"),
            ("GB", "٠٧٧٠٠٩٠٠٠٠١"), ("GB", "07700\u{0}900001"), ("GB", "alice@example.org"),
            ("GB", String(repeating: "-", count: 300) + "07700900001"),
        ])
    func refused(country: String, text: String) {
        #expect(throws: MatrixError.self) { try PhoneNumber(text, country: country) }
    }

    @Test("every country of the table is read, and its numbers with their calling codes")
    func table() throws {
        // The first line and the last, one for each first digit of a calling code, and one with a long expression.
        let codes = [
            ("US", "1"), ("UZ", "998"), ("EG", "20"), ("GR", "30"), ("GB", "44"), ("PE", "51"), ("MY", "60"), ("RU", "7"), ("JP", "81"),
            ("TR", "90"), ("AR", "54"),
        ]
        for (country, code) in codes {
            #expect(try PhoneNumber("+\(code)2345678", country: country).digits == "\(code)2345678", "\(country)")
            #expect(throws: Never.self) { try PhoneNumber("22345678", country: country) }
        }
    }
}
