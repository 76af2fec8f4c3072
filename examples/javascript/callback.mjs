// The smallest web server that can be somebody's redirect URI.
import { createServer } from 'node:http'

/** The address, with its parameters, to which the provider sends the browser back. */
export function answerAt(redirectUri) {
  const { hostname, port, pathname } = new URL(redirectUri)
  return new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      const url = new URL(request.url, redirectUri)
      if (url.pathname !== pathname) return response.writeHead(404).end()
      response.end('Thank you. You may close this window.')
      server.close()
      resolve(url)
    })
    server.on('error', reject)
    server.listen(Number(port), hostname)
  })
}
