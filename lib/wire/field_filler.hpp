#pragma once

#include <dynconf/error.hpp>

#include "wire/base64.hpp"
#include "wire/json_shape.hpp"

#include <boost/json/error.hpp>
#include <boost/json/string_view.hpp>

#include <charconv>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The inside of message_reader, between Boost.JSON's parser and the shapes. Nothing else includes it.

namespace dynconf::wire {

// The error members of every generation of gateways, where they stand in a body or a line.
struct fault_members {
    std::int64_t code = 0;
    std::int64_t grpc_code = 0;
    std::string message;
    std::string text;           // "error" as text
    bool is_object = false;     // "error" as object, empty or not
};

inline void* enter_fault(void* members) {
    static_cast<fault_members*>(members)->is_object = true;
    return members;
}

constexpr field as_lenient(field f) {
    f.lenient = true;
    return f;
}

// Lenient: these names belong to nobody, and what stands in front of etcd uses them in its own way.
inline constexpr field fault_object_fields[] = {
    as_lenient(scalar<&fault_members::code>("code")),
    as_lenient(scalar<&fault_members::grpc_code>("grpc_code")),
    as_lenient(text<&fault_members::message>("message")),
};
inline constexpr shape fault_object{fault_object_fields};

inline constexpr field fault_fields[] = {
    as_lenient(scalar<&fault_members::code>("code")),
    as_lenient(text<&fault_members::message>("message")),
    {.name = "error", .kind = field_kind::text, .lenient = true, .at = &detail::place<&fault_members::text>,
     .enter = &enter_fault, .inner = &fault_object},
};

// "prevKv" for prev_kv. In the names of the tables a letter follows each underscore.
inline bool is_camel_case_of(std::string_view key, std::string_view name) {
    std::size_t k = 0;
    for (std::size_t n = 0; n < name.size(); ++n, ++k) {
        char c = name[n];
        if (c == '_') c = static_cast<char>(name[++n] - 'a' + 'A');
        if (k >= key.size() || key[k] != c) return false;
    }
    return k == key.size();
}

inline bool same(std::string_view key, std::string_view name) {
    return key.size() == name.size() && std::memcmp(key.data(), name.data(), key.size()) == 0;
}

/// Turns the calls of a Boost.JSON parser into members. Of an open object it holds a frame; what no shape knows is only
/// counted.
class field_filler {
public:
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_string_size = std::numeric_limits<std::size_t>::max();

    using text_piece = boost::json::string_view;
    using parser_error = boost::system::error_code;

    field_filler(const shape& root, void* target, std::size_t most) : root_(&root), target_(target), most_(most) {}

    void reset() {
        frames_.clear();
        scratch_.clear();
        skipped_ = held_ = 0;
        destination_ = nullptr;
        in_string_ = false;
        base64_ = {};
        problem_.clear();
        fault_ = {};
    }

    const std::string& problem() const { return problem_; }
    /// More elements than `most` bytes hold. Their text may be far smaller: "{}," is an event.
    bool too_large() const { return held_ > most_; }
    /// Text that has not ended is not said yet: how much of it came depends on how the input was cut.
    const fault_members& fault() {
        if (in_string_ && destination_) destination_->clear();
        return fault_;
    }

    bool on_document_begin(parser_error&) { return true; }
    bool on_document_end(parser_error&) { return true; }

    bool on_object_begin(parser_error& ec) {
        if (skipped_ != 0) return ++skipped_, true;
        if (frames_.empty()) return push(*root_, target_);
        frame& top = frames_.back();
        const field* f = top.current;
        if (!f || (f->lenient && !f->inner)) return ++skipped_, true;
        if (!f->inner || f->repeated != top.in_array) return refuse(ec, "is not what it should be but an object");
        return has_room_for(*f, ec) && push(*f->inner, f->enter(top.owner));
    }

    bool on_object_end(std::size_t, parser_error&) {
        if (skipped_ != 0) --skipped_;
        else frames_.pop_back();
        return true;
    }

    bool on_array_begin(parser_error& ec) {
        if (skipped_ != 0) return ++skipped_, true;
        if (frames_.empty()) return refuse(ec, "an array instead of an object");
        frame& top = frames_.back();
        if (!top.current || top.current->lenient) return ++skipped_, true;
        if (!top.current->repeated || top.in_array) return refuse(ec, "is not what it should be but an array");
        top.in_array = true;
        return true;
    }

    bool on_array_end(std::size_t, parser_error&) {
        if (skipped_ != 0) --skipped_;
        else frames_.back().in_array = false;
        return true;
    }

    bool on_key_part(text_piece s, std::size_t, parser_error&) {
        // Longer than any name: it only has to stay so.
        if (skipped_ == 0 && scratch_.size() <= longest_name) scratch_.append(s.data(), s.size());
        return true;
    }

    bool on_key(text_piece s, std::size_t n, parser_error& ec) {
        if (skipped_ != 0) return true;
        if (scratch_.empty()) {
            select({s.data(), s.size()});
        } else {
            on_key_part(s, n, ec);
            select(scratch_);
            scratch_.clear();
        }
        return true;
    }

    bool on_string_part(text_piece s, std::size_t, parser_error& ec) {
        return skipped_ != 0 || take_string(s, ec);
    }

    bool on_string(text_piece s, std::size_t, parser_error& ec) {
        if (skipped_ != 0) return true;
        if (in_string_) return take_string(s, ec) && end_string(ec);
        // Most come whole, and numbers among them need not be gathered.
        const field* f = scalar_field(ec);
        if (!f) return !ec.failed();
        if (f->kind != field_kind::bytes && f->kind != field_kind::text) return set_word(f, {s.data(), s.size()}, ec);
        return take_string(s, ec) && end_string(ec);
    }

    bool on_number_part(text_piece, parser_error&) { return true; }

    bool on_int64(std::int64_t value, text_piece, parser_error& ec) {
        const field* f = scalar_field(ec);
        if (!f) return !ec.failed();
        if (f->kind == field_kind::int64) return set_bounded(f, value, ec);
        if (f->kind == field_kind::uint64 && value >= 0) return set(f, static_cast<std::uint64_t>(value));
        if (f->kind == field_kind::event_type && (value == 0 || value == 1))
            return set(f, value == 0 ? event::kind::put : event::kind::erase);
        return mismatch(ec, "cannot be this number");
    }

    bool on_uint64(std::uint64_t value, text_piece, parser_error& ec) {
        const field* f = scalar_field(ec);
        if (!f) return !ec.failed();
        if (f->kind == field_kind::uint64) return set(f, value);
        return mismatch(ec, "cannot be this number");
    }

    bool on_double(double, text_piece, parser_error& ec) {
        return scalar_field(ec) ? mismatch(ec, "cannot be a fraction") : !ec.failed();
    }

    bool on_bool(bool value, parser_error& ec) {
        const field* f = scalar_field(ec);
        if (!f) return !ec.failed();
        return f->kind == field_kind::flag ? set(f, value) : mismatch(ec, "cannot be true or false");
    }

    bool on_null(parser_error& ec) {
        return !frames_.empty() || refuse(ec, "null instead of an object");
    }

    bool on_comment_part(text_piece, parser_error&) { return true; }
    bool on_comment(text_piece, parser_error&) { return true; }

private:
    static constexpr std::size_t longest_name = 64;
    static constexpr std::size_t room_for_a_secret = 4096;   // so that it does not move, and leave itself behind

    struct frame {
        const shape* fields;
        void* target;
        const field* current = nullptr;   // of the last key; none when it is unknown
        void* owner = nullptr;            // whose member that is
        std::size_t next = 0;             // where the next key most likely is
        bool in_array = false;
    };

    bool has_room_for(const field& f, parser_error& ec) {
        held_ += f.element;
        if (too_large()) ec = make_error_code(errc::response_too_large);
        return !ec.failed();
    }

    bool push(const shape& s, void* target) {
        frames_.push_back({.fields = &s, .target = target});
        return true;
    }

    void select(std::string_view key) {
        frame& top = frames_.back();
        const auto fields = top.fields->fields;
        top.current = nullptr;
        top.owner = top.target;
        // Servers write fields in the order of the table, and leave out those that are zero.
        for (std::size_t i = top.next; i < fields.size(); ++i)
            if (same(key, fields[i].name)) return found(top, fields, i);
        for (std::size_t i = 0; i < top.next; ++i)
            if (same(key, fields[i].name)) return found(top, fields, i);
        for (std::size_t i = 0; i < fields.size(); ++i)
            if (is_camel_case_of(key, fields[i].name)) return found(top, fields, i);
        if (frames_.size() != 1) return;
        for (const field& f : fault_fields) {
            if (!same(key, f.name)) continue;
            top.current = &f;
            top.owner = &fault_;
        }
    }

    static void found(frame& top, std::span<const field> fields, std::size_t i) {
        top.current = &fields[i];
        top.next = i + 1;
    }

    // The field that a scalar is for; none when nobody wants it, or with `ec` when it cannot be here.
    const field* scalar_field(parser_error& ec) {
        if (skipped_ != 0) return nullptr;
        if (frames_.empty()) return refuse(ec, "a single value instead of an object"), nullptr;
        frame& top = frames_.back();
        const field* f = top.current;
        if (!f) return nullptr;
        if (f->kind == field_kind::object)
            return refuse(ec, "is not what it should be but a single value"), nullptr;
        if (f->repeated != top.in_array) return refuse(ec, "is not an array"), nullptr;
        return f;
    }

    template <class T>
    bool set(const field* f, T value) {
        *static_cast<T*>(f->at(frames_.back().owner)) = value;
        return true;
    }

    template <class T>
    bool set_bounded(const field* f, T value, parser_error& ec) {
        if constexpr (std::is_signed_v<T>)
            if (f->most != 0 && (value > f->most || value < -f->most)) return mismatch(ec, "is beyond what etcd counts to");
        return set(f, value);
    }

    bool take_string(text_piece s, parser_error& ec) {
        if (!in_string_) {
            in_string_ = true;
            wanted_ = scalar_field(ec);
            if (ec.failed()) return false;
            if (wanted_ && (wanted_->kind == field_kind::bytes || wanted_->kind == field_kind::text)) {
                if (!has_room_for(*wanted_, ec)) return false;
                destination_ = static_cast<std::string*>(wanted_->at(frames_.back().owner));
                destination_->clear();
                if (root_->secret) destination_->reserve(room_for_a_secret);
            }
        }
        if (!wanted_) return true;
        const std::string_view piece(s.data(), s.size());
        if (!destination_) {
            // Numbers and names are short; a longer word only has to stay wrong.
            if (scratch_.size() <= longest_name) scratch_.append(piece.substr(0, longest_name + 1));
        } else if (wanted_->kind == field_kind::text) {
            destination_->append(piece);
        } else if (!base64_.append(piece, *destination_)) {
            return mismatch(ec, "is not base64");
        }
        return true;
    }

    bool end_string(parser_error& ec) {
        const field* f = std::exchange(wanted_, nullptr);
        std::string* destination = std::exchange(destination_, nullptr);
        in_string_ = false;
        if (!f || f->kind == field_kind::text) return true;
        if (destination) return base64_.finish(*destination) || mismatch(ec, "is not base64");
        return set_word(f, std::exchange(scratch_, {}), ec);
    }

    bool set_word(const field* f, std::string_view word, parser_error& ec) {
        switch (f->kind) {
        case field_kind::int64: return parse<std::int64_t>(f, word, ec);
        case field_kind::uint64: return parse<std::uint64_t>(f, word, ec);
        case field_kind::event_type:
            if (word == "PUT") return set(f, event::kind::put);
            if (word == "DELETE") return set(f, event::kind::erase);
            return mismatch(ec, "is no type of event");
        default: return mismatch(ec, "cannot be text");
        }
    }

    template <class T>
    bool parse(const field* f, std::string_view word, parser_error& ec) {
        T value{};
        const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (bad == std::errc{} && end == word.data() + word.size()) return set_bounded(f, value, ec);
        return mismatch(ec, "is not a 64-bit integer");
    }

    bool mismatch(parser_error& ec, std::string_view what) {
        return frames_.back().current->lenient || refuse(ec, what);
    }

    bool refuse(parser_error& ec, std::string_view what) {
        std::string path;
        for (const frame& f : frames_) {
            if (!path.empty()) path += '.';
            path += f.current->name;
        }
        if (!path.empty()) problem_ = "field '" + path + "' ";
        problem_ += what;
        ec = make_error_code(errc::malformed_response);
        return false;
    }

    const shape* root_;
    void* target_;
    std::size_t most_;
    std::size_t held_ = 0;                 // by the elements of arrays, without their texts
    std::vector<frame> frames_;
    std::string scratch_;                  // a key that came in pieces, or a word that is not text
    std::size_t skipped_ = 0;              // open objects and arrays that nobody wants
    const field* wanted_ = nullptr;        // of the string that is being read
    std::string* destination_ = nullptr;   // where it goes as it comes
    bool in_string_ = false;
    base64_decoder base64_;
    std::string problem_;
    fault_members fault_;
};

}  // namespace dynconf::wire
