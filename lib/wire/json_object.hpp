#pragma once

#include <dynconf/types.hpp>

#include "wire/base64.hpp"

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dynconf::wire {

/// Grows one JSON object at the end of a text. Names need no escaping, nor does base64.
class json_object {
public:
    explicit json_object(std::string& out) : out_(out) { out_ += '{'; }
    void close() { out_ += '}'; }

    std::string& member(std::string_view name) {
        if (!first_) out_ += ',';
        first_ = false;
        ((out_ += '"') += name) += "\":";
        return out_;
    }

    /// As text, which keeps all 64 bits.
    void number(std::string_view name, std::integral auto value) {
        char digits[20];
        const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
        std::string& out = member(name);
        out += '"';
        out.append(digits, end);
        out += '"';
    }

    void number_unless_zero(std::string_view name, std::integral auto value) {
        if (value != 0) number(name, value);
    }

    void flag(std::string_view name, bool set) {
        if (set) member(name) += "true";
    }

    void bytes(std::string_view name, std::string_view value) {
        std::string& out = member(name);
        out += '"';
        append_base64(out, value);
        out += '"';
    }

    void bytes_unless_empty(std::string_view name, std::string_view value) {
        if (!value.empty()) bytes(name, value);
    }

    void word(std::string_view name, std::string_view value) { ((member(name) += '"') += value) += '"'; }

    void text(std::string_view name, std::string_view value) { append_text(member(name), value); }

    void texts(std::string_view name, const std::vector<std::string>& values) {
        std::string& out = member(name);
        char before = '[';
        for (const std::string& value : values) {
            out += before;
            append_text(out, value);
            before = ',';
        }
        out += values.empty() ? "[]" : "]";
    }

    void range(const key_range& r) {
        bytes_unless_empty("key", r.first());
        bytes_unless_empty("range_end", r.range_end());
    }

private:
    static void append_text(std::string& out, std::string_view value) {
        constexpr std::string_view hex = "0123456789abcdef";
        out += '"';
        for (const char c : value) {
            const auto b = static_cast<unsigned char>(c);
            if (c == '"' || c == '\\') (out += '\\') += c;
            else if (b < 0x20) ((out += "\\u00") += hex[b >> 4]) += hex[b & 15];
            else out += c;
        }
        out += '"';
    }

    std::string& out_;
    bool first_ = true;
};

/// A text of one object, which `fill(json_object&)` gives its members.
template <class Fill>
std::string object_with(Fill fill) {
    std::string out;
    json_object body(out);
    fill(body);
    body.close();
    return out;
}

}  // namespace dynconf::wire
