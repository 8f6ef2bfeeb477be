#include "support/catch.hpp"

#include <dynconf/error.hpp>

#include "wire/server_errors.hpp"

#include <boost/asio/error.hpp>

#include <new>
#include <set>
#include <stdexcept>

using namespace dynconf;

namespace {

template <class Thrown>
error caught(Thrown thrown) {
    return to_error(std::make_exception_ptr(std::move(thrown)));
}

}  // namespace

TEST_CASE("every code has its own message") {
    std::set<std::string> messages;
    std::size_t count = 0;
    for (int i = 1; i <= static_cast<int>(errc::already_running); ++i, ++count)
        messages.insert(make_error_code(static_cast<errc>(i)).message());
    for (int i = 1; i <= static_cast<int>(server_errc::client_certificate_name); ++i, ++count)
        messages.insert(make_error_code(static_cast<server_errc>(i)).message());
    for (int i = 1; i <= static_cast<int>(grpc_errc::unauthenticated); ++i, ++count)
        messages.insert(make_error_code(static_cast<grpc_errc>(i)).message());
    CHECK(messages.size() == count);
    for (const std::string& m : messages) {
        CHECK_FALSE(m.empty());
        CHECK(m.find("dynconf error") == std::string::npos);
        CHECK(m.find("etcd error") == std::string::npos);
    }
}

TEST_CASE("categories have names, and stand numbers that are no codes") {
    CHECK(std::string(dynconf_category().name()) == "dynconf");
    CHECK(std::string(server_category().name()) == "etcdserver");
    CHECK(std::string(grpc_category().name()) == "grpc");
    CHECK(dynconf_category().message(9999) == "dynconf error 9999");
    CHECK(server_category().message(-1) == "etcd error -1");
    CHECK(grpc_category().message(17) == "gRPC status 17");
    CHECK(grpc_category().message(-1) == "gRPC status -1");
    CHECK(make_error_code(grpc_errc::unavailable).message() == "gRPC status Unavailable");
    CHECK(make_error_code(server_errc::lease_not_found).message() == "etcdserver: requested lease not found");
}

TEST_CASE("every text of etcd leads back to its code") {
    for (int i = 1; i <= static_cast<int>(server_errc::client_certificate_name); ++i) {
        const auto code = static_cast<server_errc>(i);
        CAPTURE(i);
        CHECK(wire::find_server_error(wire::server_text(code)) == code);
        CHECK(wire::find_server_error("rpc error: code = X desc = " + std::string(wire::server_text(code))) == code);
    }
    CHECK_FALSE(wire::find_server_error("election: no leader"));
    CHECK_FALSE(wire::find_server_error(""));
}

TEST_CASE("an error says its detail and its code, each once") {
    CHECK(error{errc::not_running, ""}.message() == "not running");
    CHECK(error{errc::unknown_name, "timeout"}.message() == "timeout: unknown name");
    CHECK(error{server_errc::no_leader, "etcdserver: no leader"}.message() == "etcdserver: no leader");
    CHECK(error{server_errc::no_leader, "put at http://a:2379: etcdserver: no leader"}.message() ==
          "put at http://a:2379: etcdserver: no leader");
    CHECK(error{server_errc::no_leader, "put"}.message() == "put: etcdserver: no leader");
}

TEST_CASE("a result without a value throws our exception") {
    const result<int> failed = error{errc::unknown_name, "x"};
    CHECK(failed.error() == errc::unknown_name);
    try {
        failed.value();
        FAIL("did not throw");
    } catch (const exception& e) {
        CHECK(e.code() == errc::unknown_name);
        CHECK(e.detail() == "x");
        CHECK(std::string(e.what()) == "x: unknown name");
    }
}

TEST_CASE("exceptions become errors") {
    CHECK_FALSE(to_error(nullptr).code.failed());

    const error own = caught(exception({server_errc::compacted, "d"}));
    CHECK(own.code == server_errc::compacted);
    CHECK(own.detail == "d");

    const error asio = caught(boost::system::system_error(boost::asio::error::eof, "read"));
    CHECK(asio.code == boost::asio::error::eof);
    CHECK(asio.detail == "read");
    CHECK(asio.message() == "read: " + error_code(boost::asio::error::eof).message());
    CHECK(caught(boost::system::system_error(boost::asio::error::eof)).detail.empty());

    const error standard = caught(std::system_error(std::make_error_code(std::errc::connection_refused), "connect"));
    CHECK(standard.code == boost::system::errc::connection_refused);
    CHECK(standard.detail == "connect");

    const error argument = caught(std::invalid_argument("dynconf: no endpoint was given"));
    CHECK(argument.message() == "dynconf: no endpoint was given: invalid argument");

    const error other = caught(std::runtime_error("boom"));
    CHECK(other.code.failed());
    CHECK(other.message().find("boom") != std::string::npos);

    CHECK(caught(std::bad_alloc()).code == boost::system::errc::not_enough_memory);
    const error unknown = caught(42);
    CHECK(unknown.code.failed());
    CHECK_FALSE(unknown.detail.empty());
}
