#include "testing/json_out.hpp"

#include "wire/base64.hpp"

#include <cstdio>

namespace dynconf::testing {

void json_out::separate() {
    if (!first_) out_ += spaces_ ? ", " : ",";
    first_ = false;
}

void json_out::label(std::string_view name) {
    separate();
    out_ += '"';
    out_ += name;
    out_ += "\":";
    labelled_ = true;
}

void json_out::begin(char c) {
    if (!labelled_) separate();
    labelled_ = false;
    out_ += c;
    first_ = true;
}

void json_out::quoted(std::string_view name, std::string_view v) {
    label(name);
    labelled_ = false;
    out_ += '"';
    out_ += v;
    out_ += '"';
}

void json_out::bytes(std::string_view name, std::string_view v) {
    if (v.empty()) return;
    label(name);
    labelled_ = false;
    out_ += '"';
    wire::append_base64(out_, v);
    out_ += '"';
}

void json_out::item_bytes(std::string_view v) {
    separate();
    out_ += '"';
    wire::append_base64(out_, v);
    out_ += '"';
}

void json_out::string(std::string_view v) {
    labelled_ = false;
    out_ += '"';
    for (const char c : v) {
        const bool html = html_ && (c == '<' || c == '>' || c == '&');
        if (c == '"' || c == '\\') {
            out_ += '\\';
            out_ += c;
        } else if (c == '\n') {
            out_ += "\\n";
        } else if (html || static_cast<unsigned char>(c) < 0x20) {
            char escaped[7];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
            out_ += escaped;
        } else {
            out_ += c;
        }
    }
    out_ += '"';
}

}  // namespace dynconf::testing
