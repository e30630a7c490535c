// Asking the person at the terminal, for both programs.

import Glibc

package enum Terminal {
    package static var isInteractive: Bool { isatty(STDIN_FILENO) != 0 }

    /// One line, the answer to `prompt`; nil at the end of the input.
    package static func ask(_ prompt: String) -> String? {
        if isInteractive { show(prompt) }
        return readLine()
    }

    /// A password, asked for twice without showing it, or one line of a pipe. nil: the two differ, or there is none.
    package static func newPassword() -> String? {
        guard isInteractive else { return readLine() }
        guard let first = hidden("Password: "), let second = hidden("Confirm password: "), first == second else { return nil }
        return first
    }

    /// A line that is not shown while it is typed.
    private static func hidden(_ prompt: String) -> String? {
        var old = termios()
        guard tcgetattr(STDIN_FILENO, &old) == 0 else { return nil }
        var silent = old
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &old)
            show("\n")
        }
        show(prompt)
        return readLine()
    }

    private static func show(_ prompt: String) {
        let bytes = Array(prompt.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// The name of the user who runs the program.
    package static var userName: String? {
        guard let entry = getpwuid(getuid()) else { return nil }
        return String(cString: entry.pointee.pw_name)
    }
}
