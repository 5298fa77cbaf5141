//! actix-web, with one worker.

use actix_web::{App, HttpResponse, HttpServer, web};

pub(super) fn serve(announce: fn(u16)) {
    let outcome = actix_web::rt::System::new().block_on(async {
        let hello = || async { HttpResponse::Ok().content_type("text/plain").body(super::BODY) };
        let server = HttpServer::new(move || App::new().route("/", web::get().to(hello)))
            .workers(1)
            .bind("127.0.0.1:0")?;
        announce(server.addrs()[0].port());
        server.run().await
    });
    outcome.expect("actix serves");
}
