#pragma once

#include "testing/server_profile.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dynconf::testing {

/// Writes a message as the gateway of an etcd does: 64-bit numbers as strings, bytes as base64, fields that hold their zero
/// left out.
class json_out {
public:
    /// `in_stream`: lines of a stream never have spaces.
    explicit json_out(const server_profile& profile, bool in_stream = false)
        : spaces_(profile.spaces() && !in_stream), html_(!profile.is_v2()) {}

    void open() { begin('{'); }
    void open(std::string_view name) { label(name); begin('{'); }
    void close() { end('}'); }
    void open_list(std::string_view name) { label(name); begin('['); }
    void close_list() { end(']'); }

    void number(std::string_view name, std::int64_t v) { if (v != 0) quoted(name, std::to_string(v)); }
    void id(std::string_view name, std::uint64_t v) { if (v != 0) quoted(name, std::to_string(v)); }
    void small(std::string_view name, std::uint32_t v) { if (v != 0) plain(name, std::to_string(v)); }
    void flag(std::string_view name, bool v) { if (v) plain(name, "true"); }
    void bytes(std::string_view name, std::string_view v);
    void text(std::string_view name, std::string_view v) { if (!v.empty()) { label(name); string(v); } }
    /// Written even when it is empty.
    void always_text(std::string_view name, std::string_view v) { label(name); string(v); }
    void item(std::string_view text) { separate(); string(text); }
    void item_bytes(std::string_view v);

    std::string take() { return std::move(out_); }

private:
    void separate();
    void label(std::string_view name);
    void quoted(std::string_view name, std::string_view v);
    void plain(std::string_view name, std::string_view v) { label(name); labelled_ = false; out_ += v; }
    void begin(char c);
    void end(char c) { out_ += c; first_ = false; }
    void string(std::string_view v);

    std::string out_;
    bool spaces_;
    bool html_;
    bool first_ = true;
    bool labelled_ = false;
};

}  // namespace dynconf::testing
