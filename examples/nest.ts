/**
 * NestJS: login, refresh, step-up, logout and sessions out of the box, and a guard for the whole
 * application. Decorators mark the handlers that are public or require more. `docs/guide/nest.md`
 * shows how to provide the `Auth` through Nest's container.
 *
 *     npm run example -- nest
 */
import 'reflect-metadata'
import { Controller, Get, HttpCode, Module, Param, Post, UseGuards } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { createAuth, type TokenPayload } from 'tokenwright'
import { CurrentToken, guards, Public } from 'tokenwright/nest'
import { toNodeHandler } from 'tokenwright/node'
import { authRoutes } from 'tokenwright/routes'
import { memoryStore } from 'tokenwright/stores/memory'
import { listen, secretOfThisRun } from './shared/serve.ts'
import { verifyCredentials } from './shared/users.ts'

const auth = createAuth({ secret: secretOfThisRun(), sessions: { store: memoryStore() } })
const guard = guards(auth)

@Controller()
class AccountController {
  @Get('protected')
  protected(@CurrentToken() token: TokenPayload): object {
    return { message: 'You have access', sub: token.sub }
  }

  @UseGuards(guard.scopes('posts:read'))
  @Get('posts/:id')
  post(@Param('id') id: string, @CurrentToken() token: TokenPayload): object {
    return { id, reader: token.sub }
  }

  @UseGuards(guard.fresh())
  @HttpCode(200)
  @Post('change-password')
  changePassword(): object {
    return { message: 'Password changed' }
  }

  // Public for the guard of the application, which requires an access token. It has its own guard.
  @Public()
  @UseGuards(guard.optional())
  @Get('hello')
  hello(@CurrentToken() token: TokenPayload | null): object {
    return { message: `Hello ${token?.sub ?? 'stranger'}` }
  }
}

@Module({ controllers: [AccountController], providers: [{ provide: APP_GUARD, useValue: guard.access() }] })
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
const routes = toNodeHandler(authRoutes(auth, { verifyCredentials }))
app.use('/auth', routes)
app.use('/.well-known/jwks.json', routes)
await app.init()
listen(app.getHttpServer())
