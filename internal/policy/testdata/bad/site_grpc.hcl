site "socket.example.no" {
  upstream  = "127.0.0.1:8081"
  websocket = true
  path "/rpc/" {
    protocol = "grpc"
  }
}
