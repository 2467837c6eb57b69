/** A project with NestJS, compiled by tsc: its container needs the types of parameters. */
import type { FrameworkPart } from './part.ts'
import { ADDRESS_INFO, APP_OPENING, LOG, OPEN, SERVER_IMPORTS, SERVER_README } from './server.ts'

export function nestPart(guard: string): FrameworkPart {
  return {
    dependencies: ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express', 'reflect-metadata', 'rxjs'],
    scripts: {
      build: 'tsc',
      start: 'tsc && node --env-file=.env dist/src/server.js',
      test: 'tsc && node --test dist/test/app.test.js',
      typecheck: 'tsc --noEmit',
    },
    start: 'start',
    compilerOptions: {
      outDir: 'dist',
      rootDir: '.',
      rewriteRelativeImportExtensions: true,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
    readme: SERVER_README,
    files: {
      'src/app.ts': `${APP_OPENING}import 'reflect-metadata'
import { Controller, Get, HttpCode, Module, Post, UseGuards } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { TokenPayload } from 'tokenwright'
import { CurrentToken, injectedGuards, TokenwrightModule } from 'tokenwright/nest'
import { toNodeHandler } from 'tokenwright/node'
import type { Authentication } from './auth.ts'

const guard = injectedGuards()

@Controller()
class AccountController {
  @UseGuards(guard.access())
  @Get('me')
  me(@CurrentToken() token: TokenPayload) {
    return { sub: token.sub }
  }

  @UseGuards(${guard})
  @HttpCode(200)
  @Post('change-email')
  changeEmail() {
    return { message: 'Changed' }
  }
}

@Module({ controllers: [AccountController] })
class AppModule {}

export async function createApp({ auth, routes }: Authentication) {
  const root = { module: AppModule, imports: [TokenwrightModule.forRoot(auth)] }
  const app = await NestFactory.create(root, { logger: ['error', 'warn'] })
  app.use('/auth', toNodeHandler(routes))
  return app
}
`,
      'src/server.ts': `/** Opens the store and listens. */
${SERVER_IMPORTS}
const app = await createApp(createAuthentication(await openStore()))
const port = Number(process.env['PORT'] ?? 3000)
await app.listen(port)
${LOG}
`,
    },
    ignored: ['dist/'],
    test: {
      node: [ADDRESS_INFO],
      imports: ["import { createApp } from '../src/app.ts'"],
      setup: `const app = await createApp(authentication)
await app.listen(0)
const server = app.getHttpServer()
${OPEN}`,
    },
  }
}
