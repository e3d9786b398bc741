import Testing
import WalletAPI

@Suite("An Accept header")
struct AcceptTests {
    @Test(
        "chooses what the client likes best, and what is offered first between equals",
        arguments: [
            (nil, "application/json"), ("", "application/json"), ("*/*", "application/json"),
            ("text/csv", "text/csv"), ("Text/CSV", "text/csv"),
            ("text/csv;charset=utf-8", "text/csv"),
            ("text/*", "text/csv"), ("text/html, */*;q=0.1", "application/json"),
            ("application/json;q=0.5, text/csv", "text/csv"),
            ("application/json ; q=0.500 , text/csv ; q=0.499", "application/json"),
            ("text/csv;q=0.1, application/json;Q=0.2", "application/json"),
            ("text/*;q=0.9, text/csv;q=0.1, application/json;q=0.5", "application/json"),
            ("*/*, application/json;q=0", "text/csv"), (",, text/csv ,", "text/csv"),
            ("text/csv;q=1.000, application/json;q=0.999", "text/csv"),
        ] as [(String?, String)])
    func chooses(header: String?, expected: String) {
        #expect(Accept(header).best(of: "application/json", "text/csv") == expected)
    }

    @Test(
        "may take nothing of what is offered",
        arguments: [
            "text/html", "text", "csv", "text/csv;q=0", "text/csv;q=0.000", "*/*;q=0",
            "text/csv;q=", "text/csv;q=2", "text/csv;q=0.0001", "text/csv;q=-1", "text/csv;q=x",
            "image/*, text/csv;q=0, */*;q=0", "/", "text/csv x",
        ])
    func refuses(header: String) {
        #expect(Accept(header).best(of: "application/json", "text/csv") == nil)
    }

    @Test("is read to its 64th kind and no further")
    func limit() {
        let others = Array(repeating: "text/html", count: 63).joined(separator: ",")
        #expect(Accept(others + ",text/csv").best(of: "text/csv") == "text/csv")
        #expect(Accept(others + ",text/plain,text/csv").best(of: "text/csv") == nil)
    }
}
