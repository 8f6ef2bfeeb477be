#include "wire/message_reader.hpp"

#include "wire/field_filler.hpp"
#include "wire/quote.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace dynconf::wire {

struct message_reader::impl {
    static constexpr std::size_t quoted = 64;   // of a real answer no more than its header

    impl(const shape& message, void* target, bool in_envelope, std::size_t most)
        : secret(message.secret),
          result{.name = "result", .kind = field_kind::object, .enter = &enter_result, .inner = &message},
          line{std::span<const field>(&result, 1)},
          into{target, false},
          enveloped(in_envelope),
          parser(options(), in_envelope ? line : message, in_envelope ? &into : target, most) {}

    struct envelope {
        void* target;
        bool seen;
    };

    static void* enter_result(void* e) {
        static_cast<envelope*>(e)->seen = true;
        return static_cast<envelope*>(e)->target;
    }

    static boost::json::parse_options options() {
        boost::json::parse_options o;
        o.allow_invalid_utf8 = true;   // an error's words are worth reading even so
        return o;
    }

    error malformed(std::string words) const {
        if (!secret && !start.empty()) words += "; it starts with '" + quote(start, quoted) + "'";
        return {make_error_code(errc::malformed_response), quote(words)};
    }

    bool secret;
    field result;
    shape line;
    envelope into;
    bool enveloped;
    boost::json::basic_parser<field_filler> parser;
    std::string start;
    error_code failure;
};

message_reader::message_reader(const shape& message, void* target, bool enveloped, std::size_t most)
    : impl_(std::make_unique<impl>(message, target, enveloped, most)) {}

message_reader::~message_reader() = default;

bool message_reader::write(std::string_view piece) {
    impl& i = *impl_;
    const std::size_t quoted = i.secret ? 0 : impl::quoted;   // one more, to know whether there was anything
    if (i.start.size() <= quoted) i.start.append(piece.substr(0, quoted + 1 - i.start.size()));
    if (i.failure.failed()) return false;
    if (i.parser.done() || piece.empty()) return true;
    boost::system::error_code ec;
    i.parser.write_some(true, piece.data(), piece.size(), ec);
    i.failure = ec;
    return !ec.failed();
}

std::optional<server_fault> message_reader::fault() const {
    const fault_members& f = impl_->parser.handler().fault();
    if (f.code == 0 && f.grpc_code == 0 && f.text.empty() && !f.is_object) return std::nullopt;
    const std::int64_t code = f.grpc_code != 0 ? f.grpc_code : f.code;
    const bool is_grpc = code > 0 && code <= static_cast<std::int64_t>(grpc_errc::unauthenticated);
    return server_fault{is_grpc ? static_cast<int>(code) : 0, f.message.empty() ? f.text : f.message};
}

const std::string& message_reader::message() const { return impl_->parser.handler().fault().message; }

std::optional<error> message_reader::finish() {
    impl& i = *impl_;
    std::optional<error> failed;
    if (const auto f = fault()) failed = classify(*f);
    else if (i.parser.handler().too_large()) failed = error{make_error_code(errc::response_too_large), "what the message holds"};
    else if (!i.parser.handler().problem().empty()) failed = i.malformed(i.parser.handler().problem());
    else if (i.failure.failed()) failed = i.malformed("it is not JSON (" + i.failure.message() + ")");
    else if (i.start.empty()) failed = i.malformed("the body was empty");
    else if (!i.parser.done()) failed = i.malformed("it ends before its JSON does");
    else if (i.enveloped && !i.into.seen) failed = i.malformed("it holds neither a result nor an error");

    i.parser.reset();
    i.parser.handler().reset();
    i.into.seen = false;
    i.start.clear();
    i.failure = {};
    return failed;
}

}  // namespace dynconf::wire
