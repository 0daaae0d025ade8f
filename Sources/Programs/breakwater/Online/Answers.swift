import Foundation
import Model
import Platform

/// What the coordinator answered, printed: objects as they came for programs, columns for people.
extension Console {
    /// One object. Points in time are RFC 3339.
    func show(_ value: some Encodable & Sendable, _ lines: [(String, String)]) throws {
        if style == .json {
            let members = try JSONTree.members(of: value)
            return try tell(members)
        }
        let width = lines.map { $0.0.count }.max() ?? 0
        for (name, text) in lines where !text.isEmpty {
            try say(name + String(repeating: " ", count: width - name.count + 2) + Words.visible(text))
        }
    }

    func list<Item: Encodable & Sendable>(
        _ items: [Item], _ columns: [(title: String, side: Table.Side)], _ cells: (Item) -> [String]
    ) throws {
        if style == .json {
            for item in items {
                let members = try JSONTree.members(of: item)
                try tell(members)
            }
            return
        }
        var table = Table(columns)
        for item in items { table.add(cells(item)) }
        for line in items.isEmpty ? ["There are none."] : table.lines { try say(line) }
    }
}

/// A document as it came, to be printed again.
private struct JSONTree: Decodable {
    let value: JSON

    static func members(of value: some Encodable) throws -> [(String, JSON)] {
        let tree = try JSONDecoder().decode(JSONTree.self, from: JSONEncoder().encode(value))
        guard case .object(let members) = tree.value else { return [("value", tree.value)] }
        return members
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    init(from decoder: any Decoder) throws {
        if let container = try? decoder.container(keyedBy: Key.self) {
            let keys = container.allKeys.sorted { $0.stringValue < $1.stringValue }
            if keys.count == 1, keys[0].stringValue == "nanoseconds" {
                value = .text(Words.time(Timestamp(nanoseconds: try container.decode(Int64.self, forKey: keys[0]))))
                return
            }
            value = .object(try keys.map { ($0.stringValue, try container.decode(JSONTree.self, forKey: $0).value) })
        } else if var container = try? decoder.unkeyedContainer() {
            var items: [JSON] = []
            while !container.isAtEnd { items.append(try container.decode(JSONTree.self).value) }
            value = .list(items)
        } else {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                value = .flag(flag)
            } else if let number = try? container.decode(UInt64.self) {
                value = .number(number)
            } else if let number = try? container.decode(Int64.self) {
                value = .signed(number)
            } else if let number = try? container.decode(Double.self) {
                value = .fraction(number)
            } else {
                value = .text(try container.decode(String.self))
            }
        }
    }
}
